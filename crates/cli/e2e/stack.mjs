// A real stack for the browser: starts the binary, waits until it is ready, ends it.

import { spawn, execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import { AwsClient } from 'aws4fetch';

/** How Chromium is started. */
export const BROWSER = {
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--no-first-run', '--disable-quic', '--no-proxy-server'],
};

const READY_MILLISECONDS = 240_000;
const PATIENCE_MILLISECONDS = 90_000;

/** Looks again and again until there is something to return; fails when it does not come in time. */
export async function until(what, look, patience = PATIENCE_MILLISECONDS) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${patience / 1_000} s in vain for ${what}`);
    await delay(200);
  }
}

/** Starts the stack of a state folder and returns what the tests need of it. */
export async function startStack(binary, stateDir, parameters) {
  await mkdir(stateDir, { recursive: true });
  const outputsFile = path.join(stateDir, 'outputs.json');
  await rm(outputsFile, { force: true });
  const given = Object.entries(parameters).flatMap(([key, value]) => ['--param', `${key}=${value}`]);
  const child = spawn(binary, ['--port', '0', '--state-dir', stateDir, ...given]);
  const log = createWriteStream(`${stateDir}.log`, { flags: 'a' });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const ended = new Promise((resolve) => { child.once('exit', resolve); });
  const outputs = await until('outputs.json of the stack', async () => {
    if (child.exitCode !== null) throw new Error(`the stack ended with ${child.exitCode}, see ${stateDir}.log`);
    return readFile(outputsFile, 'utf8').then(JSON.parse, () => null);
  }, READY_MILLISECONDS);
  return new Stack(binary, stateDir, outputs, async () => {
    child.kill('SIGINT');
    return ended;
  });
}

class Stack {
  constructor(binary, stateDir, outputs, stop) {
    Object.assign(this, { binary, stateDir, ...outputs, stop });
    this.aws = new AwsClient({ accessKeyId: 'test', secretAccessKey: 'test', region: 'us-east-1', service: 's3' });
  }

  /** Makes a one-time sign-in link, as an operator does. */
  async signInLink(reviewer, role = 'reviewer') {
    const words = ['sign-in-link', '--reviewer', reviewer, '--role', role, '--state-dir', this.stateDir];
    const { stdout } = await promisify(execFile)(this.binary, words);
    return stdout.trim();
  }

  /** Posts feedback; it must be taken. */
  async feedback(body) {
    const response = await fetch(this.outputs.FeedbackAPIGatewayID, {
      method: 'POST',
      headers: { 'x-api-key': this.apiKeyValue, 'content-type': 'application/json' },
      body: JSON.stringify({ classifier: 'news', ...body }),
    });
    if (response.status !== 200) throw new Error(`feedback: ${response.status} ${await response.text()}`);
  }

  /** Returns the keys in the review bucket that end so. */
  async reviewKeys(suffix) {
    const response = await this.aws.fetch(`${this.reviewUrl()}?list-type=2`);
    const listing = await response.text();
    return [...listing.matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => match[1]).filter((key) => key.endsWith(suffix));
  }

  async reviewObject(key) {
    return (await this.aws.fetch(this.reviewUrl(key))).json();
  }

  async putReviewObject(key, body) {
    await this.putObject('ReviewS3Bucket', key, body);
  }

  /** Writes an object into the bucket that an output of the template names. */
  async putObject(output, key, body) {
    const url = `${this.endpointUrl}/${this.outputs[output]}/${key}`;
    const response = await this.aws.fetch(url, { method: 'PUT', body });
    if (!response.ok) throw new Error(`put ${key}: ${response.status} ${await response.text()}`);
  }

  reviewUrl(key = '') {
    return `${this.endpointUrl}/${this.outputs.ReviewS3Bucket}/${key}`;
  }
}
