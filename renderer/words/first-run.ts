// Module words/first-run has the words of the three screens that a newcomer sees.
import type { Same } from './shape.ts';

export const en = {
  step: 'Step {{step}} of {{steps}}',
  welcome: 'Two homes, one direct line',
  welcomeText:
    'Shipworm gives this PC an IPv6 address, even where your provider has none, and finds direct ways to other PCs behind routers.',
  does: 'What it does',
  doesList: {
    address: 'Gives you an address that other PCs and IPv6 websites can talk to.',
    direct: 'Opens direct ways between two homes. The server only introduces you.',
    shows: 'Shows you who uses it, and why something was refused.',
  },
  doesNot: 'What it will not do',
  doesNotList: {
    open: 'Open your PC: no application uses it, and none is reached, before you allow it.',
    send: 'Send anything about you anywhere.',
    admin: 'Run as administrator, but for one small helper that you are asked about once.',
  },
  where: 'Where do you want to begin?',
  whereText: 'You can change this at any time in the settings.',
  builtIn: 'Look around on the built-in network',
  builtInText:
    'A whole Internet inside this program. It needs no server and changes nothing on your PC. Good for the first minute.',
  given: 'Use a server that you were given',
  givenText: 'Somebody runs a Teredo server for you and told you its name.',
  own: 'Set up your own server',
  ownText: 'One rented machine is enough. The guide takes you there; come back with its name.',
  openGuide: 'Open the guide',
  admit: 'One permission',
  admitText:
    'Making a network adapter needs an administrator. Your system asks you once, for a small helper, and never again.',
  admitDone: 'The helper is installed. Nothing more is needed.',
  admitRefused:
    'Without it you can use the built-in network. You can allow it later in the settings.',
  admitNone: 'Nothing to allow',
  admitNoneText: 'The built-in network needs no permission. You are ready.',
  install: 'Allow the helper',
  later: 'Later',
  goOn: 'Nothing is left to do here. Press Begin, and allow the first application.',
  goOnBad: 'You can begin all the same; the Doctor shows everything that was looked at.',
  finish: 'Begin',
} as const;

export const ja: Same<typeof en> = {
  step: '{{steps}} 画面中 {{step}}',
  welcome: '二つの家を、まっすぐつなぐ',
  welcomeText:
    'Shipworm は、プロバイダーに IPv6 がなくても、この PC に IPv6 アドレスを与え、ルーターの向こうの PC へ直接の経路を見つけます。',
  does: 'できること',
  doesList: {
    address: 'ほかの PC や IPv6 サイトと通信できるアドレスを用意します。',
    direct: '二つの家の間に直接の経路を開きます。サーバーは仲介だけです。',
    shows: '誰が使い、なぜ拒否したのかを見せます。',
  },
  doesNot: 'しないこと',
  doesNotList: {
    open: 'PC を開放しません。許可するまで、どのアプリも使えず、外からも届きません。',
    send: 'あなたについての情報をどこにも送りません。',
    admin: '一度だけ確認する小さなヘルパーのほかは、管理者として動きません。',
  },
  where: 'どこから始めますか',
  whereText: 'あとから設定でいつでも変えられます。',
  builtIn: '内蔵ネットワークで試す',
  builtInText:
    'プログラムの中の小さなインターネットです。サーバーは不要で、PC は何も変わりません。最初の一分に向いています。',
  given: '教えてもらったサーバーを使う',
  givenText: 'Teredo サーバーを運用する人から、その名前を聞いています。',
  own: '自分のサーバーを用意する',
  ownText: '借りたマシンが一台あれば足ります。手引きに従い、名前が決まったら戻ってきてください。',
  openGuide: '手引きを開く',
  admit: '一度だけの許可',
  admitText:
    'ネットワークアダプターを作るには管理者の許可が必要です。小さなヘルパーのために一度だけ確認されます。',
  admitDone: 'ヘルパーを入れました。ほかに必要なものはありません。',
  admitRefused: '許可しなくても内蔵ネットワークは使えます。あとで設定から許可できます。',
  admitNone: '許可は不要です',
  admitNoneText: '内蔵ネットワークに許可は要りません。準備ができました。',
  install: 'ヘルパーを許可する',
  later: 'あとで',
  goOn: 'ここですることはもうありません。「始める」を押し、最初のアプリを許可してください。',
  goOnBad: 'このまま始めることもできます。調べたことはすべて「診断」にあります。',
  finish: '始める',
};
