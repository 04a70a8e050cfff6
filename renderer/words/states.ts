// Module words/states says every state and reason of the engine in words for a person.
import type { Same } from './shape.ts';

export const en = {
  state: {
    starting: 'Starting',
    off: 'Off',
    unneeded: 'Not needed',
    managed: 'Managed network',
    dormant: 'Asleep',
    qualifying: 'Connecting',
    qualified: 'Working',
    silent: 'Server silent',
    refused: 'Needs you',
    unknown: 'Unknown',
  },
  /** One sentence at the head of the Status screen. */
  head: {
    off: 'Teredo is off.',
    unneeded: 'You have IPv6 already, so Teredo stays off.',
    managed: 'Teredo stays off on this managed network.',
    dormant: 'Teredo is asleep. Nobody can reach you through it.',
    qualifying: 'Getting an address.',
    qualified: 'You have an IPv6 address that works.',
    silent: 'The server no longer answers.',
    refused: 'You can’t get an address here yet.',
    unknown: 'The state isn’t known.',
    paused: 'You have paused Teredo.',
    starting: 'Starting.',
    failed: 'The tunnel could not be started.',
  },
  reason: {
    starting: 'The server has just been asked. An answer takes one round trip.',
    'network-changed': 'Your network changed, so the server is asked again.',
    'no-network':
      'This PC has no IPv4 network. Plug it in or join a Wi-Fi; the rest goes by itself.',
    qualified: 'Applications that you allow can use it.',
    'server-silent':
      'Your address stays, and so do the ways that are open. New ones may not open meanwhile.',
    'server-unresolved':
      'The server’s name was not found. Check its spelling and your DNS (the service that finds names).',
    'no-answer': 'The server doesn’t answer: it is down, or this network blocks UDP port 3544.',
    'server-junk':
      'Something that is no Teredo server answers in its place, perhaps a sign-in page. Sign in to this network first.',
    'server-changed': 'Another server took over, so your address is new.',
    'no-traffic': 'Nobody answers at your address, so the next server is asked how it sees you.',
    'key-refused': 'The server doesn’t accept your client name and key. Ask whoever runs it.',
    'server-address-refused': 'The server has a private address. Use its public one.',
    'mapping-changed': 'Your router gave another port, so your address is new.',
    'mapping-refused':
      'The server stands in your own private network. Use one on the public Internet.',
    'nothing-allowed': 'No application is allowed to use it. Allow one to begin.',
    'nothing-running': 'No allowed application needs it just now. It wakes by itself.',
    'rules-damaged':
      'Your list of applications could not be read, so nobody is allowed. Allow them again.',
    looking: 'Finding out which network this is.',
    paused: 'You have paused it.',
    'switched-off': 'It is switched off in the configuration.',
    'network-off': 'You switched it off on this network.',
    'network-asks': 'This network is new. Say whether Teredo may be used here.',
    'native-ipv6': 'This network has IPv6 of its own, which is better.',
    'domain-controller':
      'A domain controller (a company’s central server) answers here. Its administrator decides.',
    'policy-disabled': 'Your administrator has switched it off on this PC.',
    'policy-damaged':
      'A file of the machine policy can’t be understood. Your administrator can mend it.',
  },
  nat: {
    none: 'No router in between',
    cone: 'Open router (cone NAT)',
    restricted: 'Home router (restricted NAT)',
    symmetric: 'Strict router (symmetric NAT)',
    unknown: 'Router, kind not known yet',
  },
  natText: {
    none: 'Your PC has a public address of its own.',
    cone: 'Everybody can answer you directly.',
    restricted: 'Direct paths work.',
    symmetric: 'Websites work. Some homes can’t be reached directly.',
    unknown: 'Found out with the server’s second answer.',
  },
  verdict: { pass: 'Passes', drop: 'Dropped', refuse: 'Refused' },
  why: {
    allowed: 'You allowed this application.',
    'allowed-by-policy': 'Your administrator allowed it.',
    'everything-exposed': 'Everything is let through, as the command line says.',
    'no-rule': 'You have not allowed this application.',
    never: 'You said never.',
    'forbidden-by-policy': 'Your administrator forbids it.',
    'not-reachable': 'It may not be reached from outside, or not at this port.',
    'file-changed': 'The program’s file is not the one that you allowed.',
    'foreign-namespace': 'It runs in a container, so its path means nothing here.',
    'owner-unknown': 'Nobody could be found who sent it.',
    'no-listener': 'Nobody here waits for it.',
    'echo-unanswered': 'A ping from outside. Those aren’t answered.',
    'tunnel-off': 'The application is allowed, but the tunnel is off.',
  },
  confidence: {
    exact: 'certain',
    shared: 'shared by several programs',
    inferred: 'inferred',
    unknown: 'unknown',
  },
  pingCode: {
    'no-path': 'No way was found. It may be off, or behind a router that lets nothing in.',
    'no-reply': 'The way is open, but it doesn’t answer pings.',
    'not-qualified': 'You have no address yet.',
    'address-refused':
      'That address can be nobody’s: it is your own, or has a private IPv4 address inside.',
    busy: 'Too many pings at once. Try again in a moment.',
  },
} as const;

export const ja: Same<typeof en> = {
  state: {
    starting: '起動中',
    off: 'オフ',
    unneeded: '不要',
    managed: '管理されたネットワーク',
    dormant: '休止中',
    qualifying: '接続中',
    qualified: '動作中',
    silent: 'サーバー応答なし',
    refused: '確認が必要',
    unknown: '不明',
  },
  head: {
    off: 'Teredo はオフです。',
    unneeded: 'すでに IPv6 があるため、Teredo は使いません。',
    managed: '管理されたネットワークのため、Teredo は使いません。',
    dormant: 'Teredo は休止中です。外から届くものはありません。',
    qualifying: 'アドレスを取得しています。',
    qualified: '使える IPv6 アドレスがあります。',
    silent: 'サーバーの返事がなくなりました。',
    refused: 'ここではまだアドレスを取得できません。',
    unknown: '状態がわかりません。',
    paused: 'Teredo を一時停止しています。',
    starting: '起動しています。',
    failed: 'トンネルを起動できませんでした。',
  },
  reason: {
    starting: 'サーバーに問い合わせたところです。返事は一往復で届きます。',
    'network-changed': 'ネットワークが変わったため、サーバーに問い合わせ直しています。',
    'no-network':
      'この PC は IPv4 ネットワークにつながっていません。ケーブルや Wi-Fi をつなぐと自動で続きます。',
    qualified: '許可したアプリが使えます。',
    'server-silent':
      'アドレスと開いている経路はそのままです。その間、新しい経路は開かないことがあります。',
    'server-unresolved':
      'サーバー名が見つかりません。つづりと DNS（名前を調べる仕組み）を確かめてください。',
    'no-answer':
      'サーバーが返事をしません。止まっているか、このネットワークが UDP ポート 3544 を遮断しています。',
    'server-junk':
      'サーバーの代わりに別のものが返事をしています。先にこのネットワークへサインインしてください。',
    'server-changed': '別のサーバーに切り替わり、アドレスが新しくなりました。',
    'no-traffic': '誰からも返事が届かないため、次のサーバーに見え方を問い合わせています。',
    'key-refused': 'サーバーがクライアント名と鍵を受け付けません。運用者に確かめてください。',
    'server-address-refused':
      'サーバーのアドレスがプライベートです。公開アドレスを使ってください。',
    'mapping-changed': 'ルーターが別のポートを割り当て、アドレスが新しくなりました。',
    'mapping-refused':
      'サーバーが同じプライベートネットワークの中にあります。公開インターネット上のものを使ってください。',
    'nothing-allowed': '許可されたアプリがありません。まず一つ許可してください。',
    'nothing-running': '許可したアプリは今は使っていません。必要になると自動で起きます。',
    'rules-damaged':
      'アプリの一覧を読めなかったため、何も許可していません。もう一度許可してください。',
    looking: 'どのネットワークかを調べています。',
    paused: '一時停止しています。',
    'switched-off': '設定でオフになっています。',
    'network-off': 'このネットワークではオフにしてあります。',
    'network-asks': '新しいネットワークです。ここで Teredo を使うかどうかを選んでください。',
    'native-ipv6': 'このネットワークには本来の IPv6 があり、そちらの方が優れています。',
    'domain-controller':
      'ドメインコントローラー（会社の管理サーバー）があります。決めるのは管理者です。',
    'policy-disabled': '管理者がこの PC でオフにしています。',
    'policy-damaged': 'ポリシーのファイルを読み取れません。管理者が直せます。',
  },
  nat: {
    none: 'ルーターなし',
    cone: '開いたルーター（コーン型 NAT）',
    restricted: '家庭用ルーター（制限型 NAT）',
    symmetric: '厳しいルーター（対称型 NAT）',
    unknown: 'ルーターの種類はまだ不明',
  },
  natText: {
    none: 'PC が公開アドレスを持っています。',
    cone: '誰でも直接返事ができます。',
    restricted: '直接の経路が使えます。',
    symmetric: 'ウェブサイトは使えます。直接届かない家もあります。',
    unknown: 'サーバーの二つ目の返事でわかります。',
  },
  verdict: { pass: '通過', drop: '破棄', refuse: '拒否' },
  why: {
    allowed: 'このアプリは許可されています。',
    'allowed-by-policy': '管理者が許可しています。',
    'everything-exposed': 'コマンドラインの指定ですべて通しています。',
    'no-rule': 'このアプリは許可されていません。',
    never: '「許可しない」と決めました。',
    'forbidden-by-policy': '管理者が禁止しています。',
    'not-reachable': '外からの接続、またはこのポートは許可されていません。',
    'file-changed': 'プログラムのファイルが許可したときと違います。',
    'foreign-namespace': 'コンテナの中で動いているため、パスでは区別できません。',
    'owner-unknown': '送り主が見つかりませんでした。',
    'no-listener': '待ち受けているプログラムがありません。',
    'echo-unanswered': '外からの ping です。返事はしません。',
    'tunnel-off': 'アプリは許可されていますが、トンネルがオフです。',
  },
  confidence: {
    exact: '確実',
    shared: '複数のプログラムで共有',
    inferred: '推定',
    unknown: '不明',
  },
  pingCode: {
    'no-path': '経路が見つかりません。相手が止まっているか、ルーターが何も通していません。',
    'no-reply': '経路は開いていますが、ping に返事がありません。',
    'not-qualified': 'まだアドレスがありません。',
    'address-refused':
      'そのアドレスは使えません。自分のアドレスか、プライベート IPv4 アドレスを含みます。',
    busy: '一度に多すぎます。少し待ってからもう一度試してください。',
  },
};
