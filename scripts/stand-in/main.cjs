// The default app of the stand-in runtime: electron [-r module]... [--flags] <path> [arguments] loads the app at that path.
'use strict';
const { app } = require('electron');
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');

const argv = process.argv.slice(1);
const modules = [];
let file = null;
for (let i = 0; i < argv.length && file === null; i++) {
  if (argv[i] === '--version' || argv[i] === '-v') {
    console.log(`v${process.versions.electron}`);
    process.exit(0);
  } else if (argv[i] === '-r' || argv[i] === '--require') modules.push(argv[++i]);
  else if (!argv[i].startsWith('-')) file = path.resolve(argv[i]);
}
if (file === null) {
  console.error('usage: electron [options] <app path>');
  process.exit(2);
}
// A test driver comes in by -r.
if (modules.length > 0) Module._preloadModules(modules);
const directory = fs.statSync(file).isDirectory() ? file : path.dirname(file);
const pkgFile = path.join(directory, 'package.json');
if (fs.existsSync(pkgFile)) {
  const pkg = JSON.parse(fs.readFileSync(pkgFile, 'utf8'));
  if (pkg.version) app.setVersion(pkg.version);
  app.name = pkg.productName || pkg.name;
  if (pkg.desktopName) app.setDesktopName(pkg.desktopName);
  app.setPath('userData', path.join(app.getPath('appData'), app.name));
}
app.setAppPath(directory);
process.defaultApp = true;
Module._load(file, Module, true);
