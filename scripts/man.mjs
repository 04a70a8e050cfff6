// Makes the man page of the shipworm command from the command's own help, so that the two never differ.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, stop } from './setup.mjs';

const { version, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

function help(...verbs) {
  const args = [...verbs, '--help'];
  const { status, stdout } = spawnSync(join(root, 'bin', 'shipworm'), args, { encoding: 'utf8' });
  if (status !== 0) stop(`shipworm ${args.join(' ')} failed.`);
  return stdout.trimEnd();
}

/** Text as it is, in the words of roff. */
const roff = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
const asItIs = (text) => `.nf\n${roff(text)}\n.fi\n`;

/** The verbs that the help lists. */
function verbs(text) {
  const [, list = ''] = text.split(/^Commands:$/m);
  return [...list.matchAll(/^ {2}([a-z][a-z-]*)\b/gm)]
    .map((m) => m[1])
    .filter((verb) => verb !== 'help');
}

/** The page, section 1. */
export function manPage() {
  const all = help();
  const sections = verbs(all).map((verb) => `.SS ${verb}\n${asItIs(help(verb))}`);
  return [
    `.TH SHIPWORM 1 "" "Shipworm ${version}" "User Commands"\n`,
    `.SH NAME\nshipworm \\- ${roff(description)}\n`,
    '.SH SYNOPSIS\n.B shipworm\n.I command\n[options]\n',
    `.SH DESCRIPTION\n${asItIs(all)}`,
    `.SH COMMANDS\n${sections.join('')}`,
    '.SH FILES\n.I /etc/shipworm/\nconfiguration and machine policy\n',
  ].join('');
}
