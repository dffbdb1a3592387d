// Names, what their owners say to each other, and the store that keeps it.

import type { Row } from '../frame';
import { alarms, lines, type Query, unit } from '../parts';
import { chosen, quantiles, rate, sum, total } from './queries';

/** Of nothing there is no quantile: 0 then, because a line with holes of one point each is not drawn. */
const commits = quantiles('relay_store_commit_seconds').map(
  ([quantile, legend]): Query => [`${quantile} >= 0 or ${sum('relay_store_in_trouble')} * 0`, legend],
);
const lastHour = (metric: string) => `sum(increase(${metric}{${chosen}}[1h]))`;

export const people: Row = {
  title: 'People',
  panels: [
    lines(
      {
        title: 'Names',
        description: 'Names that are kept, and those of them whose owners are there.',
        runbook: 'operations.md#people',
        unit: unit.count,
        width: 8,
      },
      [
        [sum('relay_names'), 'kept'],
        [sum('relay_names_online'), 'online'],
      ],
    ),
    lines(
      {
        title: 'Names asked for',
        description:
          'Names given in a second, to newcomers and to owners who come back, and names refused because they are somebody else’s. Many refusals: somebody tries names, or has lost a claim.',
        runbook: 'operations.md#people',
        unit: unit.requests,
        width: 8,
      },
      [
        [total('relay_name_registrations_total'), 'given'],
        [total('relay_name_refusals_total'), 'refused'],
      ],
    ),
    lines(
      {
        title: 'Watchers and bridges',
        description:
          'Sessions that watch who is in their group, sessions that wait for somebody to talk to directly, and pairs who have found each other in the last hour.',
        runbook: 'operations.md#people',
        unit: unit.count,
        width: 8,
      },
      [
        [sum('relay_watchers'), 'watch'],
        [sum('relay_bridges_waiting'), 'wait for a peer'],
        [lastHour('relay_bridges_total'), 'pairs in the last hour'],
      ],
    ),
    lines(
      {
        title: 'Messages, by outcome',
        description:
          'What becomes of messages in a second; one that is stored and then delivered is both. Sent again: nobody had acknowledged it. News: datagrams for those who watch.',
        runbook: 'operations.md#people',
        unit: unit.operations,
        width: 8,
      },
      [
        [`sum by (outcome) (${rate('relay_messages_total')})`, '{{outcome}}'],
        [total('relay_message_retries_total'), 'sent again'],
        [total('relay_news_total'), 'news'],
      ],
    ),
    lines(
      {
        title: 'Messages under way',
        description:
          'Messages that are on their way to somebody who is there, and recipients that are there and do not acknowledge: their messages are stored.',
        runbook: 'operations.md#people',
        unit: unit.count,
        width: 8,
      },
      [
        [sum('relay_messages_under_way'), 'under way'],
        [sum('relay_silent_recipients'), 'silent recipients'],
      ],
    ),
    lines(
      {
        title: 'Stored messages',
        description: 'Messages that wait for their recipients, and those that were dropped in the last hour because they had become too old.',
        runbook: 'operations.md#people',
        unit: unit.count,
        width: 8,
      },
      [
        [sum('relay_mails'), 'stored'],
        [lastHour('relay_mail_expired_total'), 'too old'],
      ],
    ),
    lines(
      {
        title: 'Stored messages, against their limit',
        description: 'What stored messages count for. At the limit the next one is refused as SERVER_FULL; none is dropped.',
        runbook: 'operations.md#relaymailnearfull',
        unit: unit.bytes,
        width: 8,
      },
      [
        [sum('relay_mail_bytes'), 'stored'],
        [sum('relay_mail_bytes_limit'), 'limit'],
      ],
    ),
    lines(
      {
        title: 'Commits of the store',
        description:
          'How long it takes until names and messages are on the disk. Whoever registers, or sends to somebody who is away, waits for it; nobody else does. 0 while nothing is committed.',
        runbook: 'operations.md#relaymailcommitsslow',
        unit: unit.seconds,
        width: 8,
      },
      commits,
    ),
    alarms(
      {
        title: 'The store',
        description:
          'Requests that wait for the store’s thread, relays whose store cannot keep anything now, and what has failed in the last hour.',
        runbook: 'operations.md#relaystoreintrouble',
        unit: unit.count,
        width: 8,
      },
      [
        [sum('relay_store_waiting_requests'), 'waiting requests'],
        [sum('relay_store_in_trouble'), 'in trouble'],
        [lastHour('relay_store_failures_total'), 'failures'],
      ],
    ),
  ],
};
