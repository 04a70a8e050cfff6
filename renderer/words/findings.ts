// Module words/findings has the doctor's sentences by their codes: the engine's own English but where that is for a terminal, and Japanese.
import { SAYINGS } from '../../engine/service/doctor/sayings.ts';
import { ja as own } from './findings-own.ts';
import type { Same } from './shape.ts';

/** Where the terminal names a command, the window names what it has itself; and what its heading says already is not said twice. */
export const WINDOW = {
  'switch-on': 'Switch it on in the settings.',
  'start-with-rights': 'Install the helper in the settings.',
  'native-is-fine':
    'Nothing is wrong. To use Teredo all the same, switch on “Even where there is native IPv6” in the settings.',
  'run-with-sudo': 'An administrator alone can read them.',
  'name-a-server': 'Name a server in the settings.',
  'try-another-server': 'Try another one (the Servers screen), or ask whoever runs this one.',
  'look-thoroughly': 'Tick “Measure the refresh interval, too” above, and look again.',
  'all-here': 'Everything that Teredo needs is here.',
  'met-at': 'This PC can be met at {{address}}.',
  'met-somewhere': 'This PC can be met at its address.',
  'limited-works':
    'Some Teredo peers can’t be reached: your router takes another port for each destination.',
  'all-well': 'No allowed application needs it just now.',
} as const;

export const en = { ...SAYINGS, ...WINDOW };

export const ja: Same<typeof en> = {
  'not-judged': '判断していません。「{{title}}」を見てください。',

  'policy-unreadable': 'ポリシーを読めませんでした。',
  'policy-disabled': 'この PC のポリシーが Teredo をオフにしています。',
  'policy-disabled-by': 'この PC のポリシーが Teredo をオフにしています（{{file}}）。',
  'policy-damaged': 'この PC のポリシーを解釈できないため、Teredo はオフのままです。',
  'policy-damaged-by':
    'この PC のポリシーを解釈できないため（{{file}}）、Teredo はオフのままです。',
  'switched-off': '設定で Teredo がオフになっています。',
  'managed-network':
    '{{domain}} のドメインコントローラーが応答します。管理されたネットワークです。',
  'no-controller': 'ドメインコントローラーの応答はありません。',
  'policy-allows': 'ポリシーが {{domain}} での使用を許しています。',
  'ask-administrator': '管理者に問い合わせてください。',
  'mend-policy': '管理者にそのファイルを直してもらってください。',
  'switch-on': 'オンにしてください。設定の「トンネルを使う」です。',
  'ask-enterprise': '管理者にポリシー "enterprise-client" を頼んでください。',

  'client-runs': 'クライアントはアダプター {{adapter}} で動作しています。',
  'client-runs-given': 'クライアントは渡されたアダプターで動作しています。',
  'helper-not-looked': '調べられませんでした。',
  'helper-as-root': 'root として動作し、ヘルパーを自分で起動します。',
  'helper-not-built': 'ヘルパーがビルドされていません。',
  'helper-service': 'ヘルパーのサービスが {{at}} にあります。',
  'helper-installed': 'ヘルパーは {{at}} にあります。起動前にシステムが確認することがあります。',
  'helper-missing': 'ヘルパーのサービスがなく、ヘルパーも入っていません。',
  'helper-unneeded': '内蔵ネットワークには必要ありません。',
  'start-asks': 'クライアントを起動してください。そのとき確認されます。',
  'start-with-rights': '設定からヘルパーを入れてください。',

  'networks-unreadable': 'ネットワークの情報を読めませんでした。',
  'no-network': 'この PC はどの IPv4 ネットワークにもつながっていません。',
  'no-default-route': '既定の経路がありません。IPv4 ではどこにも届きません。',
  'way-out': 'IPv4 には外への経路があります。',
  'way-through': 'IPv4 は {{routers}} を通ります。',
  'teredo-way': 'Teredo のアドレス（2001::/32）は {{adapter}} を通ります。',
  'no-teredo-route': 'Teredo のアドレスへの経路がありません。',
  'other-teredo-route': 'Teredo のアドレスが {{adapter}} ではなく {{other}} を通っています。',
  'join-network': 'ケーブルをつなぐか、Wi-Fi に接続してください。',
  'check-router': 'ルーターと、この PC のネットワーク設定を確かめてください。',
  'end-route-taker': '経路を奪ったものを終了し、クライアントを起動し直してください。',

  'interfaces-unreadable': 'インターフェースの情報を読めませんでした。',
  'no-other-teredo': 'ありません。',
  'other-teredo': '{{interfaces}}があります。',
  'other-interface': 'インターフェース {{name}} ',
  'other-interface-with': 'インターフェース {{name}}（アドレス {{address}}）',
  'end-other-teredo':
    'もう一つのプログラムを終了してください（Miredo なら sudo systemctl stop miredo）。',

  'no-native-ipv6': 'ありません。Teredo が役に立ちます。',
  'native-all-the-same': 'ありますが、それでも Teredo を使う設定です。',
  'native-all-the-same-at': 'ありますが（{{address}}）、それでも Teredo を使う設定です。',
  'native-ipv6': 'このネットワークには本来の IPv6 があるため、Teredo は不要で、オフのままです。',
  'native-ipv6-at':
    'このネットワークには本来の IPv6（{{address}}）があるため、Teredo は不要で、オフのままです。',
  'native-is-fine':
    '問題ありません。それでも使うなら、設定の「本来の IPv6 があっても使う」をオンにします。',

  'rule-against': '妨げる規則があります：{{rules}}。',
  'own-firewall-refused': 'この PC のファイアウォールが UDP パケットを拒否しました。',
  'no-rule-against': 'UDP やアダプターのパケットを捨てる規則はありません。',
  'packets-pass': 'パケットは出て、応答も届きます。規則そのものは root だけが読めます。',
  'rules-unreadable': '規則は root だけが読めます。通していることを示す応答もありません。',
  'remove-rule': 'その規則を外すか、UDP ポート 3544 を許可してください。',
  'allow-udp': 'この PC のファイアウォールで外向きの UDP を許可してください。',
  'run-with-sudo': '読めるのは管理者だけです。',

  'names-late': '名前の検索が時間内に終わりませんでした。',
  'no-server-set': 'サーバーが設定されていません。',
  'names-lost': '名前を検索できませんでした：{{errors}}',
  'names-nowhere': '名前の先は {{addresses}} で、公開サーバーのありえない場所です。',
  'names-found': '{{names}}。',
  'name-is': '{{name}} は {{addresses}}',
  'not-found-too': '見つからなかった名前：{{names}}。',
  'check-name-service': 'このネットワークの名前解決（DNS）を確かめてください。',
  'name-a-server': '設定でサーバーを指定してください。',
  'check-name': 'サーバーの名前と、このネットワークの DNS を確かめてください。',
  'log-in-or-check':
    'まずこのネットワークにログインしてください。ウェブページを開けばできます。またはサーバーの名前を確かめてください。',

  'server-by-udp': '{{server}} が UDP で応答します。',
  'tunnel-by-udp': 'トンネルのサーバーが UDP で応答します。',
  'not-tried-to-end': '最後まで試せませんでした。',
  'name-server-by-udp': 'DNS サーバー（{{server}}）が UDP で応答します。',
  'udp-refused': 'UDP が外に出られません：{{refusal}}。',
  'tcp-alone': 'TCP は通りますが UDP は通りません。三つの DNS サーバーが TCP だけで応答します。',
  'nobody-answers': 'TCP でも UDP でも応答がありません。',
  'refused-here': 'この PC のファイアウォールが拒否しました',
  'refused-no-way': 'そこへの経路がありません',
  'refused-by-router': '許可されないか届かないと、ルーターが答えました',
  'refused-at-end': 'そこで待ち受けるものはないと、相手が答えました',
  'refused-otherwise': '{{error}} で失敗しました',
  'ask-for-udp': 'ネットワークの管理者に UDP を通してもらうか、別のネットワークを使ってください。',
  'ask-for-udp-or-log-in':
    'ネットワークの管理者に UDP を通してもらうか、別のネットワークを使ってください。ログインを求めるページがあれば、先にログインしてください。',
  'check-internet': 'このネットワークがインターネットにつながっているか確かめてください。',

  'server-at-3544': '{{server}} がポート 3544 で応答します。',
  'tunnel-at-3544': 'トンネルのサーバーがポート 3544 で応答します。',
  'no-server-known': '尋ねられるサーバーがありません。',
  'something-at-3544': '{{server}} がポート 3544 で何かを返します。',
  'refused-at-3544': 'ポート 3544 が拒否されます：{{refusal}}。',
  'silent-together':
    '以前は応答した {{number}} 台のサーバーが今はすべて沈黙していますが、ほかの UDP は通ります。',
  'silent-or-dropped':
    '応答するサーバーがありません。UDP ポート 3544 を捨てるネットワークと見分けがつきません。',
  'allow-3544': 'この PC のファイアウォールで UDP ポート 3544 への送信を許可してください。',
  'ask-for-3544':
    'ネットワークの管理者に UDP ポート 3544 を通してもらうか、別のネットワークを使ってください。',
  'try-another-network':
    'スマートフォンなど別のネットワークで試すと、このネットワークが原因か分かります。',

  'servers-answer': '{{servers}}。',
  'answers-in': '{{server}} が {{ms}} ms で応答',
  'answers-tunnel': '{{server}} がトンネルに応答します。',
  'key-refused': 'サーバーがクライアント識別子と鍵を拒否しています。',
  'no-server-there': 'そこでサーバーは動いていないと、相手の PC が答えました。',
  'junk-answers': 'Teredo サーバーではないものが代わりに応答しています。',
  'servers-silent': '{{servers}} の応答がありません。',
  'ask-for-key': 'サーバーの運用者に新しい鍵を頼んでください。',
  'check-or-start': '名前かアドレスを確かめるか、運用者に起動してもらってください。',
  'log-in-first': 'まずこのネットワークにログインするか、サーバーの名前を確かめてください。',
  'try-another-server':
    '別のサーバーを試すか（「サーバー」の画面）、運用者に問い合わせてください。',

  'second-answered': 'トンネルに応答しました。',
  'no-second': '尋ねられる二つ目のアドレスがありません。',
  'second-silent': '{{servers}} の応答がないため、ルーターの種類が分かりません。',
  'give-second':
    'サーバーの運用者に二つ目のアドレスを用意してもらってください。なくてもトンネルは動きます。',

  'nat-none': 'ルーターはありません。この PC は公開アドレス {{endpoint}} を持っています。',
  'nat-cone': 'コーン型：誰でも {{endpoint}} に送れます。',
  'nat-restricted':
    '制限型：ポートはすべての相手に共通の {{endpoint}} です。直接の経路が使えます。',
  'nat-symmetric': '対称型：宛先ごとに別のポートになります（サーバーには {{endpoint}}）。',
  'nat-untold':
    'サーバーからは {{endpoint}} に見えますが、二つ目のアドレスがないと種類は分かりません。',
  'appearance-untold': '外からどう見えるかを教えたサーバーがありません。',
  'switch-mapping-on': 'ポート割り当てをオンにしてください。ルーターが対応しています。',
  'switch-router-on':
    'ルーターで UPnP、NAT-PMP、PCP のどれかをオンにするか、「フルコーン」を選んでください。',

  'hairpin-untried': 'サーバーの応答が必要です。',
  'hairpin-works': '自分の公開アドレスに送ったものが戻ってきます。',
  'hairpin-fails':
    '自分の公開アドレスに送ったものが戻りません。このルーターの内側の PC 同士はその方法では会えません。',
  'hairpin-unneeded':
    'ほかの場所の PC には何も要りません。内側の PC 同士ならローカルアドレスを使ってください。',

  'port-kept': 'ポート {{inside}} は外でも {{outside}} のままです。',
  'port-changed': 'ポート {{inside}} は外では {{outside}} になります。',
  'mapping-keeps-port': '何も要りません。ポート割り当てを使えば同じままです。',

  'no-router': '尋ねられるルーターがありません。',
  'nobody-asked': '尋ねていません。',
  'router-silent': '{{router}} は {{way}} に応答しません。',
  'router-answers': '{{router}} は {{way}} に応答します。',
  'router-answers-with': '{{router}} は {{way}} に応答し、{{address}} を持っています。',
  'router-refuses': '{{router}} は {{way}} に応答しますが、拒否します（{{result}}）。',
  'needed-if-symmetric':
    '対称型ルーターの場合だけ必要です。そのときはルーターでオンにしてください。',

  'idle-kept': '使わない経路が {{seconds}} 秒後も開いていました。',
  'idle-closed': '使わない経路をルーターが {{seconds}} 秒以内に閉じました。',
  'refreshes-hold': '{{seconds}} 秒ごとの更新で、割り当ては {{minutes}} 分間変わっていません。',
  'not-measured': '測っていません。一分かかります。',
  'shorter-refresh': '設定の "refreshInterval" をそれより短くしてください。',
  'look-thoroughly': '上の「更新間隔も測る」を選ぶと測れます。',

  'met-at': 'この PC には {{address}} で届きます。',
  'met-somewhere': 'この PC にはそのアドレスで届きます。',
  prevented: 'Teredo のアドレスを得られません。',
  unclear: 'Teredo のアドレスがない理由がはっきりしません。',
  'limited-works':
    '動作していますが、届かない Teredo の相手があります。ルーターが宛先ごとに別のポートを使うためです。',
  'limited-can':
    '動作できますが、届かない Teredo の相手があります。ルーターが宛先ごとに別のポートを使うためです。',
  'limited-here':
    'ここで Teredo は動作できますが、届かない相手があります。ルーターが宛先ごとに別のポートを使うためです。',
  'all-here': 'Teredo に必要なものはそろっています。',
  'all-well': '今は必要とするアプリがありません。',
  'all-here-no-address': '必要なものはそろっていますが、まだアドレスがありません。',
  reason: '{{text}}',

  ...own,
};
