const OWN_HOSTS = ["127.0.0.1", "localhost"];

/**
 * With NODE_USE_ENV_PROXY set, Node sends every request through the proxy of the environment, also those from one local
 * server to the other. This names them in NO_PROXY, for this process and the ones that it starts.
 */
export function keepLocalTrafficLocal(env: NodeJS.ProcessEnv): void {
  if (!env.NODE_USE_ENV_PROXY) return;
  const given = (env.no_proxy ?? env.NO_PROXY ?? "").split(/[\s,]+/).filter(Boolean);
  const hosts = [...new Set([...given, ...OWN_HOSTS])].join(",");
  // Node looks at the lower-case name first.
  env.no_proxy = hosts;
  env.NO_PROXY = hosts;
}
