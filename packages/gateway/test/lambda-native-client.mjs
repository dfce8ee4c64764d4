/**
 * In place of the runtime interface client's native half, which needs a compiler: with its alternative client it asks
 * for events by HTTP itself, and a handler that streams never calls what stands here.
 */
import { registerHooks } from 'node:module';

const source = `
  for (const name of ['next', 'done', 'error']) {
    exports[name] = () => { throw new Error('The native client was asked for ' + name); };
  }`;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier.endsWith('rapid-client.node')
      ? { url: 'stand-in:rapid-client', format: 'commonjs', shortCircuit: true }
      : next(specifier, context),
  load: (url, context, next) =>
    url === 'stand-in:rapid-client' ? { format: 'commonjs', source, shortCircuit: true } : next(url, context),
});
