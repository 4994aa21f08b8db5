#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# node: npm install of a local tarball.
. "${srcdir:-.}/tests/tap.sh"

body() {
	have node && have npm || { skip "npm install" "node and npm are not installed"; return; }
	fresh
	mkdir -p "$L/app" "$T/pkg/lib"
	echo '{"name":"thing","version":"1.2.3","main":"lib/index.js","bin":{"thing":"lib/cli.js"}}' >"$T/pkg/package.json"
	echo 'module.exports = () => require("path").basename(__dirname);' >"$T/pkg/lib/index.js"
	printf '#!/usr/bin/env node\nconsole.log("cli", require("./index.js")());\n' >"$T/pkg/lib/cli.js"
	(cd "$T/pkg" && npm pack --silent --offline --cache "$T/cache" >/dev/null)
	echo '{"name":"app","version":"1.0.0","dependencies":{}}' >"$L/app/package.json"
	export npm_config_cache=$T/cache npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false
	ok "npm install" vsh "cd app && npm install --silent --offline '$T/pkg/thing-1.2.3.tgz'"
	is "the module works" "$(vsh 'cd app && node -e "console.log(require(\"thing\")())" && node_modules/.bin/thing')" \
		$'lib\ncli lib'
	ok "npm uninstall and install again" vsh "cd app && npm uninstall --silent --offline thing && [ ! -e node_modules/thing ] &&
		npm install --silent --offline '$T/pkg/thing-1.2.3.tgz' && [ -e node_modules/thing/lib/cli.js ]"
	is "fs, promises, watch" "$(vsh 'node -e "
const fs = require(\"fs\"), p = fs.promises;
(async () => {
  await p.mkdir(\"x/y/z\", { recursive: true });
  await Promise.all([...Array(50).keys()].map(i => p.writeFile(\"x/y/z/\" + i, String(i))));
  console.log((await p.readdir(\"x/y/z\")).length);
  await p.rm(\"x\", { recursive: true });
  console.log(fs.existsSync(\"x\"));
})();"')" $'50\nfalse'
	same_on_mounts
}
variants body
