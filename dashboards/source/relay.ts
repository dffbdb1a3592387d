// The overview of the relays: are they well, is anything lost, where is the limit.

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';

import { dashboard, relays } from './frame';
import { admission } from './relay/admission';
import { connections, latency, traffic } from './relay/flow';
import { glance, losses } from './relay/health';
import { limits, ring, shards } from './relay/inside';
import { people } from './relay/people';

export const relay: Dashboard = dashboard(
  'relay',
  'Relay',
  'How the relays are doing: what they carry, what is lost and why, how long it takes, and how near the limits are.',
  relays('job', 'Job', 'instance', 'Instance'),
  [glance, losses, admission, traffic, connections, latency, people, shards, ring, limits],
);
