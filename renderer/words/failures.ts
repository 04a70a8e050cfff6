// Module words/failures has a sentence for every failure and caution that can reach the window: what is wrong and what to do here, without a word of the terminal.
import type { Same } from './shape.ts';

export const en = {
  code: {
    'already-running':
      'Shipworm runs on this PC already, started elsewhere: in a terminal or by the system. End that one first.',
    'not-running': 'The tunnel does not run. Look at the Status screen for why.',
    'control-failed':
      'The socket by which the terminal asks Shipworm could not be made. Sign out and in again, or ask whoever runs this PC.',
    'metrics-failed':
      'The port for metrics is in use. Choose another one in the settings, or none.',
    'bad-config': 'The settings hold something that can’t be: {{text}}',
    'bad-request': 'That can’t be asked for: {{text}}',
    'unknown-call': 'This network can’t do that.',
    weakens:
      '{{path}} would set: {{names}}. That opens this PC further, or runs a program. Nothing was taken.',
    locked: '{{name}} is set by {{source}}, which rules over what is chosen here.',
    'file-unreadable': '{{path}} could not be read: {{why}}.',
    'file-unwritable': '{{path}} could not be written: {{why}}.',
    'file-exists': '{{path}} is there already. Choose another name.',
    'server-unknown': '{{name}} is not on the list.',
    'no-host-name': '{{name}} is no host name and no IPv4 address.',
    'list-full': 'There are {{limit}} on the list already. Remove one first.',
    'owners-unknown':
      'It can’t be told here which program sends what, so none can be allowed. The Doctor says why.',
    'question-gone': 'That question was answered already.',
    'program-unknown':
      'Too little is known of this program to tell it from others, so it can’t be allowed. It may run in a container, or be gone already.',
    'program-ended': '{{name}} has ended already. Start it again, or choose Allow.',
    'process-gone': 'That program has ended already.',
    'program-missing': '{{path}} does not exist, or you may not read it. Check the path.',
    'program-no-file': '{{path}} is no file. Name a program.',
    'program-not-executable': '{{path}} is no program: nobody may run it. Check the path.',
    'rule-of-policy':
      'The machine policy ({{source}}) rules over {{which}}; only an administrator changes it.',
    'rule-unknown': 'Nothing was decided about {{which}}.',
    'no-offer': 'No other address of {{name}} is known.',
    'address-unusable': '{{target}} can be no PC’s address on the Internet.',
    'no-address-or-name': '{{target}} is neither an IPv6 address nor a DNS name.',
    'pc-exists': 'There is a PC named {{name}} already.',
    'pc-unknown': 'There is no PC named {{name}}.',
    'nothing-to-tell':
      'Nothing is set that a new address would set off. Set a command or a DNS name first, and start the tunnel anew.',
    'no-address-yet': 'There is no address yet that could be told. Wait until the tunnel has one.',
    'not-on-built-in': 'The built-in network can’t do that. Use your real network for it.',
    'guide-unopened': 'The guide could not be opened: no program for it was found.',
    'capture-runs': 'Packets are being recorded already. Stop that first.',
    'look-runs': '{{server}} is being looked at already. Wait for that.',
    'no-ipv4-address': '{{given}} is no IPv4 address.',
    'same-addresses': 'The second address must be another one than the first.',
    failed: 'Something failed that should not: {{text}}',
    'no-privilege':
      'The network adapter needs the helper, which was not let in. Install it, and allow it when you are asked.',
    'no-tun':
      'This system has no TUN device, which the adapter is made of. Ask whoever runs this PC to load the module "tun".',
    'adapter-busy':
      'There is an adapter of that name already. Choose another name in the settings.',
    'keychain-locked':
      'Nothing was changed: your desktop’s keychain is locked. Unlock it, and try again.',
    'keychain-failed':
      'Nothing was changed: your desktop’s keychain can’t be used; the log says why.',
    'port-taken': 'Another program uses that UDP port. Choose another one in the settings, or 0.',
    'bind-failed':
      'That UDP port can’t be used here. Choose another one above 1023 in the settings, or 0.',
    'no-randomness':
      'This system gives no random numbers, without which nothing here is safe. Ask whoever runs this PC.',
    'helper-missing': 'The helper is not there. Install it.',
    'helper-lost': 'The helper has ended, so the adapter is gone. Start the tunnel again.',
    'helper-refused':
      'The helper would not do that. Install it anew; if that is no help, look at the log.',
    'forwarding-unsupported': 'This kernel can’t forward on single interfaces.',
    'policy-forbids': 'The machine policy forbids that. Only an administrator changes it.',
    'no-native-ipv6': 'This PC has no native IPv6 address, so it can’t be a relay.',
    'native-missing': 'A part of Shipworm is missing. Install it anew.',
    platform: 'Shipworm runs on Linux alone so far.',
  },
  caution: {
    'policy-decides': 'The machine policy ({{source}}) decides about it, whatever is said here.',
    script:
      'Which script {{name}} runs is read from its arguments, which it can change, and the script may be changed, too.',
    interpreter:
      '{{name}} runs what others wrote: this allows every script and program that runs in it.',
    'other-user':
      'Shipworm does not decide about programs of user {{user}} here, so they don’t pass.',
  },
  why: {
    EACCES: 'you have no right to',
    EPERM: 'you have no right to',
    ENOENT: 'it is not there',
    ENOTDIR: 'it is not there',
    EISDIR: 'it is a folder',
    ENOSPC: 'the disk is full',
    EDQUOT: 'the disk is full',
    EROFS: 'the disk is for reading only',
    other: 'the system says {{code}}',
  },
} as const;

export const ja: Same<typeof en> = {
  code: {
    'already-running':
      'Shipworm はこの PC ですでに動いています（ターミナルまたはシステムから起動）。まずそちらを終了してください。',
    'not-running': 'トンネルは動いていません。理由は「状態」画面にあります。',
    'control-failed':
      'ターミナルからの問い合わせに使うソケットを作れませんでした。サインインし直すか、PC の管理者に相談してください。',
    'metrics-failed':
      'メトリクス用のポートは使用中です。設定で別のポートを選ぶか、オフにしてください。',
    'bad-config': '設定に使えない値があります（詳細：{{text}}）',
    'bad-request': 'その内容では受け付けられません（詳細：{{text}}）',
    'unknown-call': 'このネットワークではできません。',
    weakens:
      '{{path}} は次を設定します：{{names}}。PC がより開放されるか、プログラムが実行されます。何も取り込んでいません。',
    locked: '{{name}} は {{source}} が決めていて、ここでの選択より優先されます。',
    'file-unreadable': '{{path}} を読めませんでした：{{why}}。',
    'file-unwritable': '{{path}} に書き込めませんでした：{{why}}。',
    'file-exists': '{{path}} はすでにあります。別の名前を選んでください。',
    'server-unknown': '{{name}} は一覧にありません。',
    'no-host-name': '{{name}} はホスト名でも IPv4 アドレスでもありません。',
    'list-full': '一覧にはすでに {{limit}} 件あります。まず一つ削除してください。',
    'owners-unknown':
      'どのプログラムの通信か見分けられないため、許可できません。理由は「診断」でわかります。',
    'question-gone': 'この質問にはすでに回答しています。',
    'program-unknown':
      'ほかと見分けるための情報が足りず、許可できません。コンテナの中にあるか、すでに終了した可能性があります。',
    'program-ended':
      '{{name}} はすでに終了しています。もう一度起動するか、「許可」を選んでください。',
    'process-gone': 'このプログラムはすでに終了しています。',
    'program-missing': '{{path}} がないか、読む権限がありません。パスを確かめてください。',
    'program-no-file': '{{path}} はファイルではありません。プログラムを指定してください。',
    'program-not-executable':
      '{{path}} は実行できないため、プログラムではありません。パスを確かめてください。',
    'rule-of-policy':
      '{{which}} はマシンポリシー（{{source}}）が決めています。変えられるのは管理者だけです。',
    'rule-unknown': '{{which}} については何も決まっていません。',
    'no-offer': '{{name}} の別のアドレスは知られていません。',
    'address-unusable': '{{target}} はインターネット上の PC のアドレスではありえません。',
    'no-address-or-name': '{{target}} は IPv6 アドレスでも DNS 名でもありません。',
    'pc-exists': '{{name}} という PC はすでにあります。',
    'pc-unknown': '{{name}} という PC はありません。',
    'nothing-to-tell':
      'アドレスが変わったときにすることが設定されていません。コマンドか DNS 名を設定し、トンネルを起動し直してください。',
    'no-address-yet': '知らせるアドレスがまだありません。アドレスが決まるまでお待ちください。',
    'not-on-built-in': '内蔵ネットワークではできません。実際のネットワークで使ってください。',
    'guide-unopened': '手引きを開けませんでした。開くためのプログラムが見つかりません。',
    'capture-runs': 'すでにパケットを記録しています。まず停止してください。',
    'look-runs': '{{server}} を調べているところです。終わるまでお待ちください。',
    'no-ipv4-address': '{{given}} は IPv4 アドレスではありません。',
    'same-addresses': '二つ目のアドレスは一つ目と違うものにしてください。',
    failed: '予期しない問題が起きました（詳細：{{text}}）',
    'no-privilege':
      'ネットワークアダプターにはヘルパーが必要ですが、許可されませんでした。ヘルパーを入れ、確認が出たら許可してください。',
    'no-tun':
      'アダプターの元になる TUN デバイスがありません。モジュール「tun」の読み込みを PC の管理者に頼んでください。',
    'adapter-busy': '同じ名前のアダプターがすでにあります。設定で別の名前を選んでください。',
    'keychain-locked':
      '何も変更していません：デスクトップのキーチェーンがロックされています。解除してからもう一度試してください。',
    'keychain-failed':
      '何も変更していません：デスクトップのキーチェーンを使えません。理由はログにあります。',
    'port-taken':
      'その UDP ポートは別のプログラムが使っています。設定で別のポートか 0 を選んでください。',
    'bind-failed':
      'その UDP ポートはここでは使えません。設定で 1023 より大きいポートか 0 を選んでください。',
    'no-randomness':
      'このシステムは乱数を出しません。乱数なしでは安全に動けません。PC の管理者に相談してください。',
    'helper-missing': 'ヘルパーがありません。入れてください。',
    'helper-lost': 'ヘルパーが終了し、アダプターがなくなりました。トンネルを起動し直してください。',
    'helper-refused':
      'ヘルパーが受け付けませんでした。入れ直しても変わらなければ、ログを見てください。',
    'forwarding-unsupported': 'このカーネルは、インターフェースを選んで転送できません。',
    'policy-forbids': 'マシンポリシーが禁じています。変えられるのは管理者だけです。',
    'no-native-ipv6': 'この PC には本来の IPv6 アドレスがないため、リレーになれません。',
    'native-missing': 'Shipworm の一部が足りません。入れ直してください。',
    platform: 'Shipworm は今のところ Linux だけで動きます。',
  },
  caution: {
    'policy-decides': 'ここでの選択にかかわらず、マシンポリシー（{{source}}）が決めます。',
    script:
      '{{name}} がどのスクリプトを動かすかは引数から読み取りますが、引数もスクリプトも変えられる可能性があります。',
    interpreter:
      '{{name}} はほかの人が書いたものを動かします。その中で動くすべてのスクリプトとプログラムを許可することになります。',
    'other-user':
      'ここの Shipworm は利用者 {{user}} のプログラムについて決められないため、それらは通りません。',
  },
  why: {
    EACCES: '権限がありません',
    EPERM: '権限がありません',
    ENOENT: '見つかりません',
    ENOTDIR: '見つかりません',
    EISDIR: 'フォルダーです',
    ENOSPC: 'ディスクがいっぱいです',
    EDQUOT: 'ディスクがいっぱいです',
    EROFS: 'ディスクは読み取り専用です',
    other: 'システムの返事は {{code}} です',
  },
};
