// Module service/utf8 gives text as the bytes that go over a wire or into a file.

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
