// What the tests use of `ws`, which comes without types.
declare module "ws" {
  export class WebSocket {
    send(data: string): void;
    terminate(): void;
    on(event: "message", listener: (data: Buffer) => void): void;
  }
  export class WebSocketServer {
    constructor(options: { host: string; port: number });
    address(): { port: number };
    close(): void;
    readonly clients: Set<WebSocket>;
    on(event: "connection", listener: (socket: WebSocket) => void): void;
    on(event: "listening", listener: () => void): void;
  }
}
