// Module words/findings-own has the sentences about one's own server and relay in Japanese, by the engine's codes.
import type { OWN_SAYINGS } from '../../engine/service/doctor/sayings-own.ts';
import type { Same } from './shape.ts';

/** Taken in by words/findings. */
export const ja: Same<typeof OWN_SAYINGS> = {
  'own-silent-here': 'この PC からは調べられませんでした。IPv4 ではどこにも届きません。',
  'own-join-network': 'インターネットにつながるネットワークから、もう一度調べてください。',
  'own-name-found': '{{name}} は {{addresses}} です。',
  'own-name-is-address': 'アドレス {{address}} が指定されたので、名前は調べていません。',
  'own-name-lost': '名前が見つかりませんでした（{{error}}）。',
  'own-mend-name':
    'つづりと、その名前の A レコードがサーバーのアドレスになっているかを確かめてください。',
  'own-name-later': '名前の問い合わせが時間内に終わりませんでした。',
  'own-private': '{{address}} は公開アドレスではなく、インターネットからは届きません。',
  'own-use-public':
    'インターネットから見えるアドレスを入れてください。閉じた実験環境なら、私設アドレスも許すように指定してください。',
  'own-log-in-or-mend':
    'ネットワークへのログインを求められているなら先に済ませ、そうでなければ、その名前にインターネットから見えるアドレスを付けてください。',
  'own-public': '{{address}} は公開アドレスです。',
  'own-lab-address': '閉じた実験環境として {{address}} を使います。',
  'own-no-address': '問い合わせるアドレスがわかりません。',

  'own-answered': '{{address}} が {{ms}} ミリ秒で返事をしました。',
  'own-answered-wrong': '{{address}} は返事をしましたが、内容が正しくありません。',
  'own-other-voice': '{{address}} では何かが返事をしますが、Teredo サーバーではありません。',
  'own-refused': '{{address}} は返事をしませんでした（{{refusal}}）。',
  'own-silent': '{{address}} は返事をしませんでした。ここからほかの UDP は通っています。',
  'own-silent-all':
    '{{address}} は返事をせず、ここからのほかの UDP にもまったく返事がありませんでした。',
  'own-start-server':
    'サーバーの PC で「systemctl status shipworm-server」（または miredo-server）を見て、起動してください。',
  'own-other-program':
    'サーバーの PC で、UDP ポート 3544 を使っているものを終了してください。「ss -ulnp」で名前がわかります。',
  'own-open-3544':
    'サーバーの PC でサーバーが動いていること（「shipworm status」）を確かめ、その PC と事業者のファイアウォールで UDP ポート 3544 を開けてください。どちらも済んでいれば、別のネットワークから調べてください。ここがそのポートを捨てているかもしれません。',
  'own-mend-here': 'UDP が外へ出られるネットワークから調べてください。',

  'own-advertised':
    '{{prefix}} を渡し、ノンスをそのまま返し、この PC を {{origin}} としています{{mtu}}。',
  'own-mtu-said': '（MTU は {{mtu}}）',
  'own-mtu-unsaid': '（MTU は 1280 のまま）',
  'own-no-nonce': '返事に認証がないため、クライアントは捨てます。誰にでも偽れるからです。',
  'own-other-nonce': '問い合わせとは別のノンスを返すため、クライアントは捨てます。',
  'own-bad-signature': '返事の署名が、ここの設定の鍵と合いません。',
  'own-malformed': '広告が規則に反しているため（{{reason}}）、クライアントは捨てます。',
  'own-other-receiver': '広告の宛先が別の相手になっています。',
  'own-no-origin':
    'この PC がどのアドレスから見えたかを返事で知らせないため、アドレスを作れません。',
  'own-private-origin': 'この PC を {{origin}} としていますが、公開アドレスではありません。',
  'own-other-prefix': '{{prefix}} を渡していますが、このアドレスに属するのは {{expected}} です。',
  'own-odd-mtu': 'MTU を {{mtu}} としていますが、トンネルに収まりません。',
  'own-wants-key': 'ID と鍵を知っているクライアントにしか返事をしません。',
  'own-give-key':
    'ここの設定に "clientId" と "key" を入れ、このサーバーを "servers" に加えてください。',
  'own-same-key': 'このクライアントと、サーバーの "clients" とに、同じ "key" を入れてください。',
  'own-mend-server':
    '途中の何かが内容を変えているか、サーバーが古いかです。新しい Shipworm か Miredo を使ってください。',
  'own-set-primary':
    'サーバーの設定の "primary" を、クライアントが使う {{address}} にしてください。事業者がアドレスを変換しているなら、私設アドレスは "bindPrimary" に入れます。',
  'own-server-inside':
    'サーバーとこの PC が同じ私設ネットワークにあります。外から調べるか、サーバーをインターネットに置いてください。',

  'own-same-mapping': 'どちらのアドレスからも、この PC は {{origin}} と見えています。',
  'own-symmetric-here':
    'ここのルーターは二つのアドレスに別々のポートを使います（{{first}}、{{second}}）。対称型のルーターであり、サーバーのせいではありません。',
  'own-one-view': 'この PC がどう見えるかを知らせたのは、片方のアドレスだけです。',
  'own-look-elsewhere': '残りを見るには、別のネットワークからもう一度調べてください。',

  'own-second-answered': '{{address}} が {{ms}} ミリ秒で返事をしました。',
  'own-second-silent':
    '{{address}} は返事をしませんでした。サーバーのアドレスが一つだけか、もう一つがふさがれています。',
  'own-second-wrong': '{{address}} は返事をしますが、同じサーバーとしてではありません。',
  'own-give-second':
    'サーバーに二つ目の公開 IPv4 アドレス（"secondary"）を、できれば続き番号で与え、そこでも UDP ポート 3544 を開けてください。別の番号なら、ここにも入れてください。なくてもクライアントは動きますが、対称型のルーターを見分けられません。',
  'own-cone-answered': '求めに応じ、もう一つのアドレス {{address}} から正しく返事をしました。',
  'own-cone-same': 'もう一つのアドレスからの返事を求めましたが、{{address}} から来ました。',
  'own-cone-silent': 'もう一つのアドレスからの返事を求めましたが、何も来ませんでした。',
  'own-cone-silent-symmetric':
    'もう一つのアドレスからの返事を求めましたが、来ませんでした。ここの対称型ルーターが通さないためです。',
  'own-cone-untried': '片方のアドレスしか返事をしないため、試していません。',
  'own-both-one-program':
    '一つのサーバーに両方のアドレス（"primary" と "secondary"）を持たせ、その PC が両方から送れるようにしてください。「ip -4 address」に二つとも出るはずです。',

  'own-bubbled': 'ここから送ったバブルがここに届き、送り主も正しく伝わりました。',
  'own-bubble-lost': 'サーバーを通してこの PC に送ったバブルが届きませんでした。',
  'own-bubble-no-origin': 'バブルは届きましたが、送り主が伝わっていません。',
  'own-bubble-other-origin':
    '届いたバブルは送り主を {{origin}} としていますが、本当は {{sender}} です。',
  'own-bubble-untried':
    '試すためのアドレスをサーバーがもう一つくれなかったため、試せませんでした。',
  'own-let-out':
    'サーバーの PC のポート 3544 から、どのポートへも UDP を出せるようにしてください。その PC と事業者のファイアウォールを確かめ、"limits" が小さすぎないかも見てください。',
  'own-refuses': 'データも、送り主を偽ったバブルも通しませんでした。',
  'own-passes-data':
    'バブルと ping だけでなくデータも通すため、他人が身を隠すのに使えてしまいます。',
  'own-passes-forged': '他人の名をかたるバブルを通してしまいます。',
  'own-passes-both':
    'データも、他人の名をかたるバブルも通すため、他人が身を隠すのに使えてしまいます。',
  'own-run-current': 'サーバーに新しい Shipworm か Miredo を使ってください。',
  'own-refuses-untold': 'バブルが届かなかったため、ほかに何を通すかはわかりません。',

  'own-ping-back': 'サーバーを通して {{host}} が {{ms}} ミリ秒で返事をしました。',
  'own-ping-lost': '{{host}} から返事がありませんでした。',
  'own-ping-lost-only':
    '{{host}} から返事がありませんでした。{{other}} は返事をしたので、サーバーは ping を通しています。',
  'own-ping-lost-default':
    'ルートネームサーバーから返事がありませんでした。よくあることです。近くで誰かが 2001::/32 を広告していなければ、返事はここに届きません。',
  'own-ping-lost-symmetric':
    '{{host}} から返事がありませんでした。ここの対称型ルーターが通さなかったのかもしれません。',
  'own-ping-no-host': 'IPv6 のホストを調べられませんでした（{{error}}）。',
  'own-check-host': 'IPv6 のホストの名前かアドレスを確かめてください。',
  'own-give-host':
    '返事の道が自分のリレーになっている IPv6 のホストを入れてください。リレーの PC 自身の IPv6 アドレスがいちばん確かです。',
  'own-native-way':
    'サーバーの PC に IPv6 があること（「ping -6」）、ホストで 2001::/32 がリレーに向いていること（「ip -6 route get 2001::1」）と ping に答えること、リレーが動いていて UDP ポート 3545 が開いていることを確かめてください。',
  'own-route-back':
    'そのホストで 2001::/32 をリレーに向け（「ip -6 route get 2001::1」で道がわかります）、ping に答えること、リレーが動いていて UDP ポート 3545 が開いていることを確かめてください。',

  'own-relay-is-yours': '返事を運んだのは {{relay}} で、あなたのリレーです。',
  'own-relay-beside': '返事を運んだのは {{relay}} で、サーバーと同じ PC です。',
  'own-relay-foreign':
    '返事を運んだのは {{relay}} で、あなたの {{own}} ではありません。{{host}} の近くで 2001::/32 を広告している誰かのもので、インターネットはそこへ返事を送ります。',
  'own-relay-whose':
    '返事を運んだのは {{relay}} です。あなたのものかどうかは、あなたにしかわかりません。',
  'own-relay-unseen': 'リレーは見えませんでした。',
  'own-name-relay': 'リレーの IPv4 アドレスも入れてください。',
  'own-lead-to-relay':
    'そのホストで 2001::/32 をリレーの PC に向けるか、リレーにクライアントの代わりを務めさせてください（マスカレード）。',
  'own-relay-bubbled': '決まりどおり、先にサーバーを通してバブルを、それから返事を送りました。',
  'own-relay-no-bubble':
    '先にバブルを送らずに返事を送ったため、ほとんどの家庭のルーターでは捨てられます。',
  'own-relay-current': 'リレーに新しい Shipworm か Miredo を使ってください。',
  'own-relay-carries': '両方向に通ります。直接送った ping に {{ms}} ミリ秒で返事がありました。',
  'own-relay-one-way': '返事は運びましたが、直接送った ping には返事がありませんでした。',
  'own-forward':
    'リレーの PC で UDP ポート 3545 を開け、アダプター "teredo" と外との間で IPv6 を通してください（「sysctl net.ipv6.conf.all.forwarding」が 1 で、ファイアウォールの forward も許していること）。',

  'own-works': 'ここから見て、サーバーもリレーも動いています。',
  'own-works-through-other': 'サーバーは動いており、IPv6 には {{relay}} を通って届きます。',
  'own-fails': 'ここから見て、サーバーは動いていません。',
  'own-limited': 'サーバーもリレーも動いていますが、制限があります。',
  'own-server-works': 'サーバーは動いていますが、問題が残っています。',
  'own-relay-untold': 'サーバーは動いています。リレーについては判断できませんでした。',
  'own-prevented': 'この PC からは調べられません。',
  'own-unclear': 'サーバーが動いているかどうか、ここからはわかりません。',
};
