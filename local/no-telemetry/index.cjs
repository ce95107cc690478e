// Empty: the real one is 230 MB with what it needs, and loading it doubles Azurite's start. See package.json, "overrides".
module.exports = {};
