import { expect, test } from 'vitest';
import { REDACTED, redact } from '../src/redact.ts';

test('hides whatever stands under a name that promises a secret, at any depth', () => {
  const value = {
    password: 'hunter2',
    client_secret: { nested: 'hunter2' },
    accessToken: ['hunter2'],
    api_key: { $secret: 'hunter2' },
    headers: { Authorization: 'hunter2', 'X-API-Key': 'hunter2', Cookie: 'hunter2', 'X-Auth': 'hunter2' },
    aws: { access_key_id: 'hunter2', accessKey: 'hunter2', signing: 'hunter2' },
    list: [{ privateKey: 'hunter2', pwd: 12345 }],
  };
  const shown = redact(value);
  expect(JSON.stringify(shown)).not.toContain('hunter2');
  expect(JSON.stringify(shown)).not.toContain('12345');
  expect(shown).toMatchObject({ password: REDACTED, headers: { Authorization: REDACTED }, list: [{ pwd: REDACTED }] });
});

test('hides credentials inside of text', () => {
  expect(redact(['postgres://user:hunter2@db/x', 'Bearer hunter2.abc', 'Basic aHVudGVyMg=='])).toEqual([
    `postgres://${REDACTED}@db/x`,
    `Bearer ${REDACTED}`,
    `Basic ${REDACTED}`,
  ]);
  expect(redact('get https://a:b@c@host/x?sig=hunter2&a=b#c, then "http://host/y?hunter2"; is it?')).toBe(
    `get https://${REDACTED}@host/x?${REDACTED} then "http://host/y?${REDACTED}"; is it?`,
  );
});

test('shows everything else as it is, a limit of tokens too', () => {
  const value = { name: 'x', max_tokens: 1500, flags: [true, null, 0], statement: 'select 1' };
  expect(redact(value)).toEqual(value);
});

test('changes nothing in the cache', () => {
  const value = Object.freeze({ password: 'hunter2' });
  redact(value);
  expect(value.password).toBe('hunter2');
});
