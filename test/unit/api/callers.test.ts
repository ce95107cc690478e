import { describe, expect, test } from "vitest";
import { callers } from "../../../src/access-settings.ts";
import { describeCaller, tenantOfCaller } from "../../../src/api/callers.ts";

const APP = "aaaaaaaa-0000-4000-8000-000000000001";
const GROUP = "aaaaaaaa-0000-4000-8000-000000000002";
const USER = "aaaaaaaa-0000-4000-8000-000000000003";

const RULES = callers.parse(
  `first:role=Both,second:group=${GROUP},third:app=${APP},fourth:subject=${USER},fifth:subject=pair-wise_Sub`,
);

const tenantOf = (claims: Record<string, unknown>) => tenantOfCaller(claims, RULES);

describe("a caller's tenant is that of the first entry that fits", () => {
  test.each<[string, Record<string, unknown>, string | undefined]>([
    ["an app role", { roles: ["Other", "Both"] }, "first"],
    ["a role in other letters", { roles: ["both"] }, undefined],
    ["a part of a role", { roles: ["Both.More"] }, undefined],
    ["a group", { groups: [GROUP.toUpperCase()] }, "second"],
    ["a group's id as a role", { roles: [GROUP] }, undefined],
    ["a role and a group", { groups: [GROUP], roles: ["Both"] }, "first"],
    ["an application with the older form of tokens", { appid: APP, idtyp: "app" }, "third"],
    ["an application with the newer form", { azp: APP }, "third"],
    ["a user who signed in to that application", { appid: APP, scp: "user_impersonation" }, undefined],
    ["a user's token without a scope", { appid: APP, idtyp: "user" }, undefined],
    ["a user's object id", { oid: USER }, "fourth"],
    ["a subject that is one for each application", { sub: "pair-wise_Sub" }, "fifth"],
    ["such a subject in other letters", { sub: "pair-wise_sub" }, undefined],
    ["nothing that is named", { oid: APP, sub: APP, roles: [], groups: [] }, undefined],
    ["nothing at all", {}, undefined],
    ["claims of other types", { roles: "Both", groups: { 0: GROUP }, appid: [APP], oid: null, sub: 5 }, "first"],
  ])("%s", (_, claims, tenant) => {
    expect(tenantOf(claims)).toBe(tenant);
  });
});

test("the log tells the operator what an entry needs, and no names", () => {
  const claims = { appid: APP, oid: USER, roles: ["R"], groups: [GROUP], name: "Ada", upn: "ada@example.org" };
  expect(describeCaller(claims)).toEqual({ app: APP, subject: USER, roles: ["R"], groups: 1 });
});

test("the log tells of groups that Entra ID has left out of the token", () => {
  expect(describeCaller({ _claim_names: { groups: "src1" } })).toMatchObject({ groupsLeftOut: true });
  expect(describeCaller({ hasgroups: true })).toMatchObject({ groupsLeftOut: true });
});
