/** From the claims of a valid token to the tenant that the settings give its caller. */
import { type CallerKind, type CallerRule, comparable } from "../access-settings.ts";

export type Claims = Record<string, unknown>;

/** The tenant of the first rule that fits, undefined if none does. */
export function tenantOfCaller(claims: Claims, rules: CallerRule[]): string | undefined {
  const values: Record<CallerKind, string[]> = {
    role: textsOf(claims.roles),
    group: textsOf(claims.groups),
    app: isAppItself(claims) ? textsOf(clientOf(claims)) : [],
    // The object id is the same in all tokens of a user, service principal or managed identity; `sub` is one for each
    // app.
    subject: textsOf([claims.oid, claims.sub]),
  };
  return rules.find(({ kind, value }) => values[kind].includes(value))?.tenant;
}

/** The application that asked for the token: every access token of Entra ID names it, an id token does not. */
export const clientOf = ({ appid, azp }: Claims): unknown => appid ?? azp;

/**
 * Whether an application or managed identity got the token for itself. An application that a user has signed in to
 * counts by that user: any user of the directory could sign in to a public one.
 */
const isAppItself = ({ scp, idtyp }: Claims) => scp === undefined && (idtyp === undefined || idtyp === "app");

/** What an operator needs for an entry of `CALLERS`. No names, no addresses: ids only. */
export function describeCaller(claims: Claims): Record<string, unknown> {
  const { oid, roles, groups } = claims;
  return { app: clientOf(claims), subject: oid, roles, groups: textsOf(groups).length, ...overage(claims) };
}

/** Entra ID leaves the groups out of the tokens of users with more than 200. */
const overage = ({ groups, hasgroups, _claim_names: names }: Claims) =>
  groups === undefined && (hasgroups !== undefined || (names instanceof Object && "groups" in names))
    ? { groupsLeftOut: true }
    : {};

function textsOf(value: unknown): string[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((each) => typeof each === "string").map(comparable);
}
