// Looks at the status page as people do, and prints what was seen as JSON, one line for each chapter.
//   node status_page.cjs OPEN_URL GUARDED_URL TOKEN FOLDER_FOR_PICTURES
// After the line "live" it waits for a line on its standard input; by then the open relay should be gone.
"use strict";
const { launch } = require("puppeteer-core");
const path = require("node:path");

const [open, guarded, token, folder] = process.argv.slice(2);
const PATIENCE = 30_000;
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];

const tell = (chapter, seen) => console.log(JSON.stringify({ chapter, ...seen }));

/** A page that remembers everything that it should not do. */
async function watched(browser) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const seen = { requests: [], errors: [], violations: [] };
  page.setDefaultTimeout(PATIENCE);
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
  await page.exposeFunction("violated", (text) => seen.violations.push(text));
  await page.evaluateOnNewDocument(() => document.addEventListener("securitypolicyviolation",
    (event) => window.violated(`${event.violatedDirective} ${event.blockedURI}`)));
  return { page, seen };
}

const isLive = () => document.body.dataset.state === "live";
const text = (page, selector) => page.$eval(selector, (node) => node.textContent);
const rows = (page, id) => page.$$eval(`#${id} tbody tr`, (all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const scheme = (page, value) => page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const picture = (page, name, fullPage = true) => page.screenshot({ path: path.join(folder, `${name}.png`), fullPage });

async function live(browser) {
  const { page, seen } = await watched(browser);
  await page.setViewport({ width: 1180, height: 900 });
  await scheme(page, "light");
  await page.goto(open);
  await page.waitForFunction(isLive);
  await page.waitForFunction(() => document.querySelector("#worst .address"));
  const sent = () => document.querySelector("#tiles .tile:nth-child(2)").textContent;
  const before = await page.evaluate(sent);
  await page.waitForFunction((before) => document.querySelector("#tiles .tile:nth-child(2)").textContent !== before, {}, before);
  // Until the lines have something to show.
  await page.waitForFunction(() => document.querySelector("#tiles path").getAttribute("d").split("L").length > 8);
  const light = await background(page);
  await picture(page, "status-page");
  await scheme(page, "dark");
  const dark = await background(page);
  await picture(page, "status-page-dark");
  await scheme(page, "light");
  await page.setViewport({ width: 360, height: 740 });
  const phone = await overflow(page);
  await picture(page, "status-page-phone");
  const level = await page.$eval("#verdict", (node) => node.dataset.level);
  const links = await page.$$eval("#findings a", (all) => all.map((link) => link.getAttribute("href")));
  // With the keyboard alone, the list since the start.
  await page.focus("input[name=span]:checked");
  await page.keyboard.press("ArrowRight");
  const span = await page.$eval("input[name=span]:checked", (node) => node.value);
  tell("live", {
    ...seen, before, light, dark, phone, level, links, span, headline: await text(page, "#headline"),
    worst: await rows(page, "worst"), drops: await rows(page, "drops"), shards: await rows(page, "shards"),
    tcp: await page.$eval("#tcp-note", (node) => node.innerText), since: await rows(page, "since"),
    configuration: await rows(page, "configuration"), limits: await rows(page, "limits"), driver: await rows(page, "driver"),
    unnamed: await page.$$eval("section", (all) => all.filter((one) => !one.getAttribute("aria-label") && !document.getElementById(one.getAttribute("aria-labelledby"))).length),
  });
  return page;
}

async function gone(page) {
  await new Promise((told) => process.stdin.once("data", told));
  await page.setViewport({ width: 1180, height: 900 });
  await page.waitForFunction(() => document.body.dataset.state === "gone");
  await page.evaluate(() => window.scrollTo(0, 0));
  await picture(page, "status-page-gone", false);
  const faded = await page.$eval("#shards", (node) => getComputedStyle(node.closest("section")).opacity);
  tell("gone", { headline: await text(page, "#headline"), freshness: await text(page, "#freshness"), faded });
}

async function locked(browser) {
  const { page, seen } = await watched(browser);
  await page.goto(guarded);
  await page.waitForFunction(isLive);
  const hint = await text(page, "#worst-hint");
  const give = async (secret) => {
    await page.type("#token", secret);
    await page.keyboard.press("Enter");
  };
  await give("not the token, but as long");
  await page.waitForFunction(() => document.querySelector("#token-wrong").textContent);
  const wrong = await text(page, "#token-wrong");
  await give(token);
  await page.waitForFunction(() => !document.querySelector("#worst-lists").hidden);
  const kept = await page.evaluate(() => [Object.values(sessionStorage), localStorage.length, document.cookie]);
  tell("locked", { ...seen, hint, wrong, kept, url: page.url() });
}

(async () => {
  const browser = await launch({ executablePath: "/usr/bin/chromium", headless: true, args: FLAGS });
  try {
    await locked(browser);
    await gone(await live(browser));
  } finally {
    await browser.close();
  }
})().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
