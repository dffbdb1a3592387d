// Writes the dashboards as Grafana imports them into the folder that is named.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { loadgen } from './loadgen';
import { relay } from './relay';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('which folder?');
for (const [name, dashboard] of Object.entries({ relay, loadgen })) {
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(dashboard, null, 2)}\n`);
}
