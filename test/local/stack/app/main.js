// An app that does only what the stack's own tests look at: it is healthy, and it shows the settings that it was given.
import { app } from "@azure/functions";

if (process.env.APP_FAILS === "at start") throw new Error("this app cannot start");

app.http("healthz", {
  route: "healthz",
  authLevel: "anonymous",
  methods: ["GET"],
  handler: () => ({ jsonBody: { status: "ok" } }),
});

app.http("settings", {
  route: "v1/settings",
  authLevel: "anonymous",
  methods: ["GET"],
  handler: () => ({ jsonBody: process.env }),
});
