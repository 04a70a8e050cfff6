// Module kit/systemctl starts units in the lab, where no systemd runs: command, user, capabilities, folders and socket as the unit says.
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

const FOLDER = '/etc/systemd/system';
const LOGS = '/run/units';

/** The settings of a unit and of its drop-ins; a name may have several values, which an empty one takes back. */
function read(unit) {
  const settings = new Map();
  const files = [`${FOLDER}/${unit}`, ...globSync(`${FOLDER}/${unit}.d/*.conf`)];
  for (const line of files.flatMap((file) => readFileSync(file, 'utf8').split('\n'))) {
    const [, key, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (key) settings.set(key, value === '' ? [] : [...(settings.get(key) ?? []), value]);
  }
  const one = (key, otherwise = '') => settings.get(key)?.[0] ?? otherwise;
  return { one, all: (key) => settings.get(key) ?? [] };
}

const fullName = (unit) => (unit.includes('.') ? unit : `${unit}.service`);
const pidFile = (unit) => `${LOGS}/${unit}.pid`;

/** Command and environment with the user and the capabilities of the unit. */
function command({ one, all }) {
  const bounding = all('CapabilityBoundingSet').join(' ').split(' ').filter(Boolean);
  const capabilities = bounding.map((name) => `,+${name.replace('CAP_', '').toLowerCase()}`);
  const user = one('User', 'root');
  return {
    args: [
      'setpriv',
      `--reuid=${user}`,
      `--regid=${user}`,
      '--init-groups',
      ...(one('NoNewPrivileges') === 'yes' ? ['--no-new-privs'] : []),
      '--inh-caps=-all',
      `--bounding-set=-all${capabilities.join('')}`,
      '--',
      ...one('ExecStart').split(' '),
    ],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      ...Object.fromEntries(all('Environment').map((pair) => pair.split('='))),
    },
  };
}

function background(unit, args, env) {
  mkdirSync(LOGS, { recursive: true });
  const log = openSync(`${LOGS}/${unit}.log`, 'a');
  const [file, ...rest] = args;
  const child = spawn(file, rest, { stdio: ['ignore', log, log], detached: true, env, cwd: '/' });
  writeFileSync(pidFile(unit), String(child.pid));
  child.unref();
}

function startSocket(unit) {
  const socket = read(unit);
  const path = socket.one('ListenSequentialPacket');
  mkdirSync(dirname(path), { recursive: true });
  chmodSync(dirname(path), Number.parseInt(socket.one('DirectoryMode'), 8));
  // What an earlier start left is not what is waited for.
  rmSync(path, { force: true });
  const service = command(read(unit.replace('.socket', '.service')));
  background(
    unit,
    ['systemd-socket-activate', '--seqpacket', `--listen=${path}`, ...service.args],
    service.env,
  );
  for (let n = 0; n < 250 && !existsSync(path); n++) execFileSync('sleep', ['0.02']);
  execFileSync('chgrp', [socket.one('SocketGroup', 'root'), path]);
  chmodSync(path, Number.parseInt(socket.one('SocketMode', '666'), 8));
}

function start(unit) {
  if (existsSync(pidFile(unit))) return;
  if (unit.endsWith('.socket')) {
    startSocket(unit);
    return;
  }
  const service = read(unit);
  for (const needed of service.all('Requires')) start(needed);
  const folder = (base, name) => {
    if (name === '') return;
    mkdirSync(`${base}/${name}`, { recursive: true });
    execFileSync('chown', [`${service.one('User')}:`, `${base}/${name}`]);
  };
  folder('/run', service.one('RuntimeDirectory'));
  folder('/var/lib', service.one('StateDirectory'));
  const { args, env } = command(service);
  background(unit, args, env);
}

function stop(unit) {
  process.kill(Number(readFileSync(pidFile(unit), 'utf8')), 'SIGTERM');
  rmSync(pidFile(unit));
}

/** A service that a socket starts is what its socket's process became. */
function restart(unit) {
  const socket = unit.replace('.service', '.socket');
  const own = existsSync(pidFile(socket)) ? socket : unit;
  const process = `/proc/${readFileSync(pidFile(own), 'utf8')}`;
  // It may have ended with what it needs.
  if (existsSync(process)) stop(own);
  else rmSync(pidFile(own));
  for (let n = 0; n < 500 && existsSync(process); n++) execFileSync('sleep', ['0.02']);
  start(own);
}

const [verb, ...given] = process.argv.slice(2);
const units = given.filter((word) => !word.startsWith('-')).map(fullName);
if ((verb === 'enable' && given.includes('--now')) || verb === 'start') units.forEach(start);
else if (verb === 'stop') units.forEach(stop);
else if (verb === 'restart') units.forEach(restart);
else if (verb === 'reload')
  for (const unit of units) {
    const [file, ...args] = read(unit).one('ExecReload').split(' ');
    const user = read(unit).one('User');
    const as = [`--reuid=${user}`, `--regid=${user}`, '--init-groups', '--', file, ...args];
    execFileSync('setpriv', as, { stdio: 'inherit' });
  }
else if (verb !== 'daemon-reload') throw new Error(`systemctl ${verb} is not known here`);
