// Module test/long/appimage.test runs a program in a squashfs that its own file serves through FUSE, as an AppImage does, and rules on it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  closeSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Identity, Matcher } from '../../engine/gate/types.ts';
import { matcherFor, mismatch } from '../../engine/gate/identity.ts';
import { copyActor, FAR, Field } from '../lab/kit/field.ts';
import type { Actor } from '../lab/kit/field.ts';
import { noLab } from '../lab/kit/lab.ts';
import { eventually } from '../lab/kit/processes.ts';
import { SLOW } from '../lab/kit/programs.ts';

const reason = noLab() ?? (existsSync('/dev/fuse') ? null : 'this kernel has no FUSE');
/** daemon: fusermount serves only users with a name, and the helper itself is nobody. */
const USER = 1;
const QUIET_MS = 300;
const SOON_MS = 3_000 * SLOW;
/** It is what the runtime of an AppImage has built in, and mounts itself with. */
const SERVER = '/usr/bin/squashfuse_ll';

test.skipIf(reason !== null)(
  'an AppImage is the file that serves it: named by its path and content, and asked about again when that changed',
  async () => {
    const field = new Field();
    const folder = (name: string): string => {
      const path = join(field.folder, name);
      mkdirSync(path, { recursive: true });
      chownSync(path, USER, USER);
      return path;
    };
    onTestFinished(() => field.close());
    await field.open({ user: USER });
    const far = await field.act(field.program('far'), true);
    await far.do('udp u');
    await far.do('bind u :: 4000');

    /** The layout of type 2: a program that can mount what is appended to it, "AI" and 2 at byte 8. */
    const build = (name: string, note: string): string => {
      const content = folder(`${name}-content`);
      copyActor(join(content, 'AppRun'));
      appendFileSync(join(content, 'note'), note);
      const squashfs = join(field.folder, `${name}.squashfs`);
      execFileSync('mksquashfs', [content, squashfs, '-noappend', '-quiet', '-no-progress']);
      const path = join(folder('Apps'), name);
      const fresh = `${path}.new`;
      copyFileSync(SERVER, fresh);
      const file = openSync(fresh, 'r+');
      writeSync(file, Uint8Array.of(0x41, 0x49, 2), 0, 3, 8);
      closeSync(file);
      appendFileSync(fresh, readFileSync(squashfs));
      chmodSync(fresh, 0o755);
      chownSync(fresh, USER, USER);
      renameSync(fresh, path);
      return path;
    };
    let mounts = 0;
    /** What the runtime does: it serves its own file at a new folder, and becomes the program in there. */
    const start = (path: string): Promise<Actor> => {
      const offset = statSync(SERVER).size;
      const script = '"$0" -o "ro,offset=$1" "$0" "$2" && exec "$2/AppRun"';
      const as = ['--reuid', String(USER), '--regid', String(USER), '--clear-groups'];
      const mount = folder(`.mount_${mounts++}`);
      return field.act('setpriv', false, [...as, 'sh', '-c', script, path, String(offset), mount]);
    };
    const rules: Matcher[] = [];
    field.decide = (owner) =>
      owner?.identities.length === 1 &&
      rules.some((rule) => mismatch(rule, [], owner.identities[0]!) === null)
        ? { out: 'allow', in: 'none' }
        : { out: 'deny', in: 'none' };
    /** Who it is found to be, and whether its packet arrives. */
    const tries = async (path: string): Promise<{ identity: Identity; arrives: boolean }> => {
      const actor = await start(path);
      field.asked.length = 0;
      await actor.do('udp u');
      await actor.do(`send u ${FAR} 4000 hello`);
      const asked = await eventually('it was asked about', SOON_MS, () => field.asked[0]);
      const arrives = (await far.do(`recv u ${asked.passed ? SOON_MS : QUIET_MS}`)) === 'hello';
      return { identity: asked.owner!.identities[0]!, arrives };
    };
    const hashOf = (path: string): string =>
      createHash('sha256').update(readFileSync(path)).digest('hex');

    const path = build('Photo Album.AppImage', 'one');
    const first = await tries(path);
    expect(first).toEqual({
      arrives: false,
      identity: expect.objectContaining({
        user: USER,
        path,
        hash: hashOf(path),
        group: { kind: 'appimage', id: path },
        foreign: false,
        writable: true,
      }) as unknown,
    });
    rules.push(matcherFor(first.identity)!);
    expect(await tries(path)).toMatchObject({ arrives: true });

    // One of the same name elsewhere, and the same file with another content, are others.
    const other = join(folder('Other'), 'Photo Album.AppImage');
    copyFileSync(path, other);
    chmodSync(other, 0o755);
    expect(await tries(other)).toMatchObject({ arrives: false, identity: { path: other } });
    build('Photo Album.AppImage', 'two');
    const changed = await tries(path);
    expect(changed).toMatchObject({ arrives: false, identity: { path, hash: hashOf(path) } });
    expect(mismatch(rules[0]!, [], changed.identity)).toBe('file-changed');

    // A file system of the user's that no AppImage serves names nobody, whatever it calls itself.
    const plain = join(folder('Apps'), 'Plain.AppImage');
    copyFileSync(SERVER, plain);
    chmodSync(plain, 0o755);
    appendFileSync(plain, readFileSync(join(field.folder, 'Photo Album.AppImage.squashfs')));
    const unknown = await tries(plain);
    expect(unknown).toMatchObject({ arrives: false, identity: { group: null, hash: null } });
    expect(matcherFor(unknown.identity)).toBeNull();
  },
);
