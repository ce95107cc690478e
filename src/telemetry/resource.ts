/** Which instance of which app tells something. */
import { randomUUID } from "node:crypto";
import { type Resource, resourceFromAttributes } from "@opentelemetry/resources";

/**
 * On Azure Functions, as the host describes itself, so that both parts of an instance are one: see
 * https://opentelemetry.io/docs/specs/semconv/resource/faas. `OTEL_RESOURCE_ATTRIBUTES` (`name=value`, comma separated)
 * goes before.
 */
export function resource(serviceName: string | undefined, environment = process.env): Resource {
  const { WEBSITE_SITE_NAME: site, WEBSITE_INSTANCE_ID: instance = randomUUID(), REGION_NAME: region } = environment;
  const azure = {
    "cloud.provider": "azure",
    "cloud.platform": "azure.functions",
    "cloud.region": region,
    "faas.name": site,
    "faas.instance": instance,
  };
  return resourceFromAttributes({
    "service.name": site ?? "threadkeep",
    "service.instance.id": instance,
    "process.pid": process.pid,
    ...(site === undefined ? {} : azure),
    ...given(environment.OTEL_RESOURCE_ATTRIBUTES),
    ...(serviceName === undefined ? {} : { "service.name": serviceName }),
  });
}

/** Values may be percent-encoded. What is no pair is left out. */
function given(text = ""): Record<string, string> {
  const pairs = text.split(",").map((pair) => pair.split("="));
  return Object.fromEntries(
    pairs.flatMap(([name = "", value]) => (value === undefined ? [] : [[name.trim(), decoded(value.trim())]])),
  );
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
