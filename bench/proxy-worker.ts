/** The thread of a ProxyThread: one TcpProxy, told what to do by messages, one answer to each. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ProxyRequest } from './proxy-thread.ts';
import { TcpProxy, type TcpProxyTarget } from './tcp-proxy.ts';

if (parentPort === null) throw new Error('expected to run as a thread of proxy-thread.ts');
const port = parentPort;
const proxy = new TcpProxy(workerData as TcpProxyTarget);
port.on('message', (request: ProxyRequest) => {
  if ('delayMs' in request) proxy.delayMs = request.delayMs;
  port.postMessage(proxy.counts());
});
port.postMessage(await proxy.listen());
