/**
 * Reads what a PostgreSQL client sends (protocol 3) and says which statements it executes. A statement is an Execute of
 * the extended protocol or a simple Query; Parse, Bind, Describe and Sync prepare one and are none. A simple Query with
 * several statements in one text counts once, for it is one request.
 */

const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const TLS_HANDSHAKE = 0x16;

/** One connection's messages, from its first byte on. */
export class FrontendMessages {
  readonly #onStatement: (text: string) => void;
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, string>();
  #rest: Buffer = Buffer.alloc(0);
  #started = false;

  /** `onStatement` hears the text of every statement that is executed, with white space collapsed. */
  constructor(onStatement: (text: string) => void) {
    this.#onStatement = onStatement;
  }

  /** The next bytes, cut anywhere. Throws when the connection goes on in TLS: there is nothing to read then. */
  push(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      if (!this.#started && bytes[0] === TLS_HANDSHAKE) {
        throw new Error('cannot count statements: expected a connection without TLS (sslmode=disable), got TLS');
      }
      // A type byte (none before the connection has started), then a length that counts itself but not the type.
      const header = this.#started ? 1 : 0;
      if (bytes.length < header + 4) break;
      const end = header + bytes.readUInt32BE(header);
      if (bytes.length < end) break;
      const body = bytes.subarray(header + 4, end);
      if (this.#started) this.#read(String.fromCharCode(bytes[0]!), body);
      else this.#started = !isEncryptionRequest(body);
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
  }

  #read(type: string, body: Buffer): void {
    switch (type) {
      case 'Q':
        this.#executed(firstText(body));
        break;
      case 'P': {
        const name = firstText(body);
        this.#statements.set(name, firstText(body.subarray(Buffer.byteLength(name) + 1)));
        break;
      }
      case 'B': {
        const portal = firstText(body);
        const statement = firstText(body.subarray(Buffer.byteLength(portal) + 1));
        this.#portals.set(portal, this.#statements.get(statement) ?? `(unknown statement ${statement})`);
        break;
      }
      case 'E':
        this.#executed(this.#portals.get(firstText(body)) ?? '(unknown portal)');
        break;
    }
  }

  #executed(text: string): void {
    this.#onStatement(text.replaceAll(/\s+/g, ' ').trim());
  }
}

/** The server's answer decides what follows: a start-up packet, or TLS. */
function isEncryptionRequest(body: Buffer): boolean {
  return body.length === 4 && [SSL_REQUEST, GSS_REQUEST].includes(body.readUInt32BE(0));
}

/** Up to the NUL that ends every text of the protocol. */
function firstText(body: Buffer): string {
  return body.toString('utf8', 0, body.indexOf(0));
}
