// Opens the page of one dashboard in Chromium, prints what was seen on it as JSON, and keeps a picture of it.
//   node shoot.mjs DASHBOARD PROMETHEUS SCRAPE_SECONDS FROM PICTURE

import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { launch } from 'puppeteer-core';

const [dashboard, prometheus, scrape, from, picture] = process.argv.slice(2);
const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '..');
const json = JSON.parse(readFileSync(join(root, `${dashboard}.json`), 'utf8'));
const panels = json.panels.filter(({ type }) => type !== 'row').length;

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
/** A row of the grid with its gap, and what stands above the grid, in pixels. */
const [ROW, ABOVE] = [38, 96];
const PATIENCE = 60_000;

function file(path) {
  if (path === '/') return join(here, 'index.html');
  if (path === '/page.js' || path === '/page.css') return join(root, 'built', path);
  const icon = path.indexOf('img/icons');
  return icon < 0 ? undefined : join(root, 'node_modules/@grafana/ui/dist/public', path.slice(icon));
}

/** Grafana's server has its fonts and some of its icons; the packages do not. The system's fonts take their place. */
const isAbsent = (url) => /\/fonts\/|\/img\/icons\//.test(url);

const server = createServer((request, response) => {
  const path = file(new URL(request.url, 'http://here').pathname);
  if (!path || !existsSync(path)) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' });
  createReadStream(path).pipe(response);
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];
const browser = await launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags });
try {
  const page = await browser.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(`page: ${error}`));
  page.on(
    'response',
    (response) =>
      response.status() >= 400 && !isAbsent(response.url()) && faults.push(`${response.url()}: ${response.status()}`),
  );
  const isLoading = (message) => message.text().startsWith('Failed to load resource');
  page.on(
    'console',
    (message) => message.type() === 'error' && !isLoading(message) && faults.push(`console: ${message.text()}`),
  );
  const rows = Math.max(...json.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  await page.setViewport({ width: 1600, height: rows * ROW + ABOVE });
  const asked = new URLSearchParams({ dashboard, prometheus, scrape, from });
  await page.goto(`http://127.0.0.1:${server.address().port}/?${asked}`);
  const complete = (count) => {
    const filled = Object.values(window.witness.panels).filter(({ seen }) => seen.length > 0).length;
    return filled >= count || window.witness.errors.length > 0;
  };
  await page.waitForFunction(complete, { timeout: PATIENCE }, panels).catch((error) => faults.push(String(error)));
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="Panel loading bar"]').length === 0, {
    timeout: PATIENCE,
  });
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  const states = await page.$$eval(
    '[data-testid="data-testid Panel status error"], [data-testid="data-testid Alert error"]',
    (found) => found.map((each) => each.textContent),
  );
  const text = await page.evaluate(() => document.body.innerText);
  const seen = await page.evaluate(() => window.witness);
  await page.screenshot({ path: picture });
  console.log(JSON.stringify({ ...seen, errors: [...seen.errors, ...faults, ...states], text }));
} finally {
  await browser.close();
  server.close();
}
