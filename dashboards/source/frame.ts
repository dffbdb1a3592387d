// What surrounds the panels: title, variables, time, rows, and the numbers of the panels.

import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
  type Dashboard,
  type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard';

import { source } from './parts';

export interface Row {
  title: string;
  panels: Builder<Panel>[];
}

/** A variable with the values of a label, of which any number may be chosen. */
export interface Choice {
  name: string;
  label: string;
  /** The series with the label. */
  series: string;
  of: string;
  /** What "All" matches, where the values that are known now are not all. */
  all?: string;
}

/** A relay that is down exports nothing, and Prometheus knows it by `up` alone: by its job, whose name has to tell. */
const RELAYS = '.*relay.*';
export const relays = (job: string, jobs: string, instance: string, instances: string): Choice[] => [
  { name: job, label: jobs, series: `up{job=~"${RELAYS}"}`, of: 'job', all: RELAYS },
  { name: instance, label: instances, series: `up{job=~"$${job}"}`, of: 'instance', all: '.*' },
];

function choice({ name, label, series, of, all }: Choice) {
  const variable = new QueryVariableBuilder(name)
    .label(label)
    .datasource(source)
    .query({ query: `label_values(${series}, ${of})`, refId: name })
    .definition(`label_values(${series}, ${of})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .current({ selected: true, text: 'All', value: '$__all' });
  return all === undefined ? variable : variable.allValue(all);
}

export function dashboard(uid: string, title: string, description: string, choices: Choice[], rows: Row[]): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['relay'])
    .editable()
    .timezone('browser')
    .time({ from: 'now-30m', to: 'now' })
    .refresh('10s')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'));
  choices.forEach((each) => builder.withVariable(choice(each)));
  builder.withVariable(new TextBoxVariableBuilder('docs').label('Runbook at').defaultValue('docs'));
  for (const { title, panels } of rows) {
    builder.withRow(new RowBuilder(title));
    panels.forEach((panel) => builder.withPanel(panel));
  }
  const result = builder.build();
  // The builder numbers no panel, and Grafana tells them apart by their numbers.
  result.panels?.forEach((panel, index) => (panel.id = index + 1));
  return result;
}
