import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, readConfig, SETTINGS } from '../src/config.js';
import { HOME, launch, withoutModel } from './support.js';

test('settings come from flags, else from the environment, else they are the standard ones', () => {
  const config = readConfig(['--model', 'm.gguf', '--parallel', '3'], { NIBBLE_OFFLOAD_PARALLEL: '7', NIBBLE_OFFLOAD_STALL_SECONDS: '5' });
  assert.equal(config.parallel, 3);
  assert.equal(config.stallSeconds, 5);
  assert.equal(config.port, 9100);
  assert.equal(config.host, '127.0.0.1');
  assert.equal(config.tls, null);
});

test('a setting that can not be right is told in one line that names it', () => {
  const cases: [string[], RegExp][] = [
    [[], /^model is not given/],
    [['--model', 'm', '--port', '65536'], /^port is "65536"; allowed: 0 to 65535$/],
    [['--model', 'm', '--port', ''], /^port is ""/],
    [['--model', 'm', '--parallel', '0'], /^parallel is "0"/],
    [['--model', 'm', '--queue', '-1'], /queue/],
    [['--model', 'm', '--context', '8'], /^context is "8"/],
    [['--model', 'm', '--threads', 'many'], /^threads is "many"/],
    [['--model', 'm', '--device', 'tpu'], /^device is "tpu"; allowed: auto, gpu, cpu$/],
    [['--model', 'm', '--host', 'a b'], /^host is "a b"/],
    [['--model', 'm', '--tls-cert', 'c.pem'], /^tls-cert is given without tls-key/],
    [['--model', 'm', '--tls-client-ca', 'c.pem'], /^tls-client-ca is given without/],
    [['--model', 'm', '--tls-cert', '/none', '--tls-key', '/none'], /^tls-cert: ENOENT/],
    [['--model', 'm', '--tls-cert', 'package.json', '--tls-key', 'package.json'], /^tls-cert, tls-key or tls-client-ca can't be used/],
    [['--modle', 'm'], /--modle/],
    [['m.gguf'], /m\.gguf/],
  ];
  for (const [args, message] of cases) {
    assert.throws(() => readConfig(args, {}), (error: Error) => error instanceof ConfigError && message.test(error.message) && !error.message.includes('\n'), args.join(' '));
  }
  assert.ok(SETTINGS.length > 0);
});

for (const [name, args] of [
  ['no model', []],
  ['a bad port', ['--model', HOME, '--port', 'x']],
  ['a model that is not there', ['--model', '/none.gguf', '--port', '0']],
  ['a model that is no GGUF', ['--model', 'package.json', '--port', '0']],
] as const) {
  test(`${name} ends the process with 2 and one line`, async () => {
    const sidecar = launch(...args);
    assert.equal(await sidecar.exit, 2);
    assert.match(sidecar.log(), /^nibble-offload: ERROR: [^\n]+\n$/);
  });
}

test('more context than the model has ends the process with 2', { skip: withoutModel }, async () => {
  const sidecar = launch('--model', HOME, '--port', '0', '--context', '2048', '--threads', '1');
  assert.equal(await sidecar.exit, 2);
  assert.match(sidecar.log(), /^nibble-offload: ERROR: context is "2048"; the model allows at most 1024\n$/);
});
