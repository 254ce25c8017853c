import { describe, expect, it } from '@jest/globals';
import { readConfig } from './config.ts';

describe('the settings', () => {
  it('have defaults, also for what is set to nothing', () => {
    expect(readConfig({ CONTROL_PORT: '', OTHER: 'x' })).toEqual({ PORT: 8089, HOST: '127.0.0.1' });
  });

  it('fail with every mistake at once', () => {
    expect(() => readConfig({ PORT: 'x', CONTROL_PORT: '70000' })).toThrow(/PORT[\s\S]*CONTROL_PORT/);
  });
});
