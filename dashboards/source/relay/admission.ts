// Who has not shown where it is, and what it gets.

import type { Row } from '../frame';
import { alarms, lines, unit } from '../parts';
import { chosen, sum, total } from './queries';

export const admission: Row = {
  title: 'Who has not shown where it is?',
  panels: [
    lines(
      {
        title: 'Unproved members',
        description:
          'Members who have not shown that they receive what is sent to their address, and those of them who were never heard of again: many of these are an attack.',
        runbook: 'operations.md#admission',
        unit: unit.count,
        width: 8,
      },
      [
        [sum('relay_unproved_members'), 'unproved'],
        [sum('relay_silent_unproved_members'), 'silent'],
      ],
    ),
    lines(
      {
        title: 'Sent to unproved members, against its cap',
        description: 'Bytes with IP headers for all of them in a second. At the cap the relay becomes guarded.',
        runbook: 'operations.md#admission',
        unit: unit.bytesPerSecond,
        width: 8,
      },
      [
        [total('relay_unproved_egress_bytes_total'), 'sent'],
        [sum('relay_unproved_egress_limit_bytes'), 'cap'],
      ],
    ),
    alarms(
      {
        title: 'Guarded',
        description: 'Relays that take themselves to be under attack, and how often that has changed in the last hour.',
        runbook: 'operations.md#relayguarded',
        unit: unit.count,
        width: 8,
      },
      [
        [sum('relay_admission_guarded'), 'guarded'],
        [`sum by (to) (increase(relay_admission_changes_total{${chosen}}[1h]))`, 'to {{to}}'],
      ],
    ),
  ],
};
