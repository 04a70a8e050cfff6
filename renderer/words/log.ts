// Module words/log has the events of the log by their codes. In English the engine's own text is shown.
import type { Same } from './shape.ts';

export const en = {
  begun: 'Shipworm {{version}} on {{system}} (Electron {{electron}}).',
  sleeps: 'This PC goes to sleep.',
  woke: 'This PC woke up.',
  nat: {
    none: 'There is no router in between: this PC has a public address.',
    cone: 'The router lets everybody in once there is an address.',
    restricted: 'The router keeps one port: direct ways work.',
    symmetric:
      'The router takes another port for each destination: some Teredo peers can’t be reached.',
    unknown: 'The kind of router is not known yet.',
  },
  interval:
    'This router keeps its ways for {{seconds}} s at least; the server is asked no more often.',
  mapped: 'The server sees this PC as {{endpoint}}.',
  kind: { teredo: 'Teredo peer', native: 'native host', local: 'local peer' },
  why: {
    silent: 'silent for 30 s',
    evicted: 'made room for others',
    unreachable: 'its port is closed',
    reset: 'the way is asked for anew',
  },
  'peer-up': 'Peer: {{address}} ({{kind}}) at {{endpoint}}, {{path}}.',
  'peer-gone': 'Peer gone: {{address}} ({{why}}).',
  'many-peers': 'Many peers come and go; the rest of this minute is not told.',
  qualified:
    'Qualified: {{address}} (server {{server}}, seen as {{mapped}}, packets up to {{mtu}} bytes).',
  asking: 'Asking {{name}} ({{endpoint}}) from UDP port {{port}}.',
  exposure: {
    closed: 'No application may use the tunnel or be reached through it.',
    allowed: 'Some applications may use the tunnel.',
    all: 'Every application may use the tunnel and be reached through it.',
  },
  'port-lost': 'The router gives us no port any more.',
  'command-ran': 'The command for a new address has run: {{program}}',
  'command-failed': 'The command for a new address, {{program}}, failed: {{failure}}.',
  'name-updated': '{{name}} leads to {{address}} now, says {{server}}.',
  'name-not-updated':
    '{{name}} could not be updated at {{server}} ({{failure}}). It is tried again in {{seconds}} s.',
  'keychain-asked':
    'Your identity for secure qualification is in the keychain, which asks you to unlock it.',
  'keychain-locked':
    'The keychain stayed locked: the tunnel qualifies without your identity. Unlock it under Settings.',
  'keychain-failed': 'The keychain can’t be used: {{failure}}',
  'identity-moved':
    'Your identity for secure qualification was moved from {{file}} to the keychain.',
  'identity-stays': 'Your identity for secure qualification stays in {{file}}: {{failure}}',
  reloaded: 'The configuration was read anew.',
  reloadedNow: 'In force: {{applied}}.',
  reloadedLater: 'Waiting for the next start: {{needRestart}}.',
} as const;

export const ja: Same<typeof en> = {
  begun: 'Shipworm {{version}}、{{system}}（Electron {{electron}}）。',
  sleeps: 'この PC はスリープに入ります。',
  woke: 'この PC がスリープから戻りました。',
  nat: {
    none: '間にルーターはありません。この PC は公開アドレスを持っています。',
    cone: 'アドレスができれば、ルーターは誰でも通します。',
    restricted: 'ルーターは一つのポートを保ちます。直接の経路が使えます。',
    symmetric: 'ルーターが宛先ごとに別のポートを使うため、届かない Teredo の相手があります。',
    unknown: 'ルーターの種類はまだ分かりません。',
  },
  interval:
    'このルーターは経路を少なくとも {{seconds}} 秒保ちます。サーバーへの問い合わせもその間隔で足ります。',
  mapped: 'サーバーからこの PC は {{endpoint}} に見えます。',
  kind: { teredo: 'Teredo の相手', native: 'IPv6 ホスト', local: '近隣の相手' },
  why: {
    silent: '30 秒間応答なし',
    evicted: 'ほかの相手に場所を譲りました',
    unreachable: '相手のポートが閉じています',
    reset: '経路を調べ直しています',
  },
  'peer-up': '相手とつながりました：{{address}}（{{kind}}）、{{endpoint}}、{{path}}。',
  'peer-gone': '相手との経路がなくなりました：{{address}}（{{why}}）。',
  'many-peers': '多くの相手が出入りしています。この一分間の残りは記録しません。',
  qualified:
    '資格を得ました：{{address}}（サーバー {{server}}、外からは {{mapped}}、最大 {{mtu}} バイト）。',
  asking: '{{name}}（{{endpoint}}）に UDP ポート {{port}} から問い合わせています。',
  exposure: {
    closed: 'トンネルを使えるアプリも、トンネルから届くアプリもありません。',
    allowed: '一部のアプリがトンネルを使えます。',
    all: 'すべてのアプリがトンネルを使え、トンネルから届きます。',
  },
  'port-lost': 'ルーターがポートを割り当てなくなりました。',
  'command-ran': '新しいアドレスのコマンドを実行しました：{{program}}',
  'command-failed': '新しいアドレスのコマンド {{program}} が失敗しました：{{failure}}',
  'name-updated': '{{name}} は {{address}} を指すようになりました（{{server}}）。',
  'name-not-updated':
    '{{name}} を {{server}} で更新できませんでした（{{failure}}）。{{seconds}} 秒後にもう一度試します。',
  'keychain-asked':
    '安全な資格確認の識別情報はキーチェーンにあり、キーチェーンがロックの解除を求めています。',
  'keychain-locked':
    'キーチェーンはロックされたままです。識別情報なしで資格を確認します。設定画面で解除できます。',
  'keychain-failed': 'キーチェーンを使えません：{{failure}}',
  'identity-moved': '安全な資格確認の識別情報を {{file}} からキーチェーンに移しました。',
  'identity-stays': '安全な資格確認の識別情報は {{file}} に残っています：{{failure}}',
  reloaded: '設定を読み直しました。',
  reloadedNow: '有効になったもの：{{applied}}。',
  reloadedLater: '次の開始を待つもの：{{needRestart}}。',
};
