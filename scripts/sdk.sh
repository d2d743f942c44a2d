#!/usr/bin/env bash
# Puts the official QuickBlox JavaScript SDK into build/sdk/, for the demo's page and the
# end-to-end tests. It is not a dependency in package.json: its own tree of dependencies,
# of which a browser needs none, names a git repository, which a registry does not have.
# So it is fetched alone, and used only if its checksum is the published one. When it is
# there already, this does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

version=2.23.0
integrity=sha512-ADSPBeiIUnsvY7unpjZ/HR4w9f/u4gzaW+QLcOErCAtb1UTX+FKZ886hci9xeqJW0UlPWhL8nOxrlY1jTExjMw==

# The mark is written last: an unpacking that was cut short is done again.
mark=build/sdk/.installed
[ "$(cat "$mark" 2>/dev/null)" = "$integrity" ] && exit 0

note() { printf 'sdk: %s\n' "$*" >&2; }
for tool in npm node tar; do
	command -v $tool >/dev/null || { note "$tool is missing: install it and try again"; exit 1; }
done

note "installing the QuickBlox JavaScript SDK $version into build/sdk"
mkdir -p build
work=$(mktemp -d build/sdk.XXXXXX)
trap 'rm -rf "$work"' EXIT
# The registry is the one that npm is configured for.
if ! npm pack "quickblox@$version" --ignore-scripts --pack-destination "$work" >"$work/log" 2>&1; then
	cat "$work/log" >&2
	note "npm pack quickblox@$version did not work: is the package registry reachable?"
	exit 1
fi
tgz=$work/quickblox-$version.tgz
got=$(node -e 'const {createHash} = require("crypto"), {readFileSync} = require("fs");
	console.log("sha512-" + createHash("sha512").update(readFileSync(process.argv[1])).digest("base64"))' "$tgz")
if [ "$got" != "$integrity" ]; then
	note "quickblox@$version has checksum $got, the published one is $integrity: not installed"
	exit 1
fi
mkdir "$work/sdk"
tar -xzf "$tgz" -C "$work/sdk" --strip-components=1 --no-same-owner
printf '%s\n' "$integrity" >"$work/sdk/.installed"
rm -rf build/sdk
mv "$work/sdk" build/sdk
