import { z } from "zod";
import { TELEMETRY_SETTINGS } from "../../../src/telemetry/settings.ts";

/** The app's telemetry settings of an environment. Throws where they are bad. */
export const given = (environment: Record<string, string>) => z.object(TELEMETRY_SETTINGS).parse(environment);
