/** Preloaded into an instance of the app (`--import`): its clock is CLOCK_SKEW_MS ahead of the others', or behind. */
const skew = Number(process.env.CLOCK_SKEW_MS ?? 0);
const trueNow = Date.now;
const now = () => trueNow() + skew;

// `new Date()` must agree with `Date.now()`: a timer that asked both would never come to rest.
globalThis.Date = new Proxy(Date, {
  construct: (target, given, newTarget) => Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget),
  get: (target, name, receiver) => (name === "now" ? now : Reflect.get(target, name, receiver)),
});
