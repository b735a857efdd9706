// cutter.mjs - a TCP relay on loopback that ends connections at bad moments; TLS passes through it unread.
// Promises: the first `cuts` connections are reset in the given moment, all later ones are relayed whole.
import net from 'node:net';

// when: 'answer' resets when the server answers a client that has sent more than `afterBytes`: all was passed on,
//                nothing of the answer arrives;
//       'request' resets when the client has sent more than `afterBytes`: the last part was not passed on.
export async function openCutter({ host, port, cuts = 1, when = 'answer', afterBytes }) {
  let left = cuts;
  let connections = 0;
  const server = net.createServer((client) => {
    connections += 1;
    const cutting = left > 0;
    left -= cutting ? 1 : 0;
    const target = net.connect({ host, port });
    const end = () => {
      client.resetAndDestroy();
      target.end();
    };
    let fromClient = 0;
    client.on('data', (chunk) => {
      fromClient += chunk.length;
      if (cutting && when === 'request' && fromClient > afterBytes) {
        end();
      } else {
        target.write(chunk);
      }
    });
    target.on('data', (chunk) => {
      if (cutting && when === 'answer' && fromClient > afterBytes) {
        end();
      } else {
        client.write(chunk);
      }
    });
    client.on('end', () => target.end());
    target.on('end', () => client.end());
    client.on('error', () => target.destroy());
    target.on('error', () => client.destroy());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    connections: () => connections,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
