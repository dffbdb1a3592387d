// What the rows of the overview ask in common.

import type { Query } from '../parts';

export const chosen = 'job=~"$job", instance=~"$instance"';

/** Sum over all relays that are chosen. */
export const sum = (metric: string) => `sum(${metric}{${chosen}})`;
export const rate = (metric: string, more = '') => `rate(${metric}{${chosen}${more}}[$__rate_interval])`;
export const total = (metric: string, more = '') => `sum(${rate(metric, more)})`;
export const quantile = (share: number, metric: string) =>
  `histogram_quantile(${share}, sum by (le) (${rate(`${metric}_bucket`)}))`;
export const mean = (metric: string) => `${total(`${metric}_sum`)} / ${total(`${metric}_count`)}`;
/** A share of something that may be nothing. */
export const share = (part: string, whole: string) => `${part} / clamp_min(${whole}, 1e-9)`;

export const quantiles = (metric: string): Query[] => [
  [quantile(0.5, metric), 'p50'],
  [quantile(0.9, metric), 'p90'],
  [quantile(0.99, metric), 'p99'],
  [quantile(0.999, metric), 'p99.9'],
];

/** How full something is, for each relay: what there is of what there may be. */
export const full = (metric: string, limit: string) =>
  `sum by (job, instance) (${metric}{${chosen}}) / sum by (job, instance) (${limit}{${chosen}})`;
export const ceilings: Query[] = [
  [full('relay_clients', 'relay_clients_limit'), 'clients'],
  [full('relay_groups', 'relay_groups_limit'), 'groups'],
  [full('relay_unjoined_groups', 'relay_unjoined_groups_limit'), 'groups nobody joined'],
  [full('relay_names', 'relay_names_limit'), 'names'],
  [full('relay_mail_bytes', 'relay_mail_bytes_limit'), 'stored messages'],
  [full('process_open_fds', 'process_max_fds'), 'file descriptors'],
];

export const serving = `relay_ready{${chosen}} or on (job, instance) up{${chosen}} * 0`;
export const busy = `rate(relay_shard_busy_seconds_total{${chosen}}[$__rate_interval])`;
export const shard = '{{instance}} · {{shard}}';
