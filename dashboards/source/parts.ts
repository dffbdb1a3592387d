// What the panels of all dashboards have in common: the data source, the runbook, the form of each kind of panel.

import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge';
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphGradientMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTextDisplayOptionsBuilder,
  VizTooltipOptionsBuilder,
  TableSortByFieldStateBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  SpecialValueMatch,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type Threshold,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  PanelBuilder as Heatmap,
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries';

export const source = { type: 'prometheus', uid: '${datasource}' };

/** Units by the names that Grafana knows. */
export const unit = {
  count: 'short',
  packets: 'pps',
  bits: 'bps',
  bytes: 'bytes',
  bytesPerSecond: 'binBps',
  seconds: 's',
  share: 'percentunit',
  operations: 'ops',
  requests: 'reqps',
  calls: 'cps',
} as const;

/** What every panel says of itself: what it shows and when to worry, and where the runbook goes on. */
export interface About {
  title: string;
  description: string;
  /** A section of the runbook: `file#heading`. */
  runbook: string;
  unit: string;
  width: number;
}

/** One query: PromQL and the name of its series. */
export type Query = [expression: string, legend: string];

/** Values from which on a colour is used; the first one holds for everything below the second. */
export type Steps = [color: string, ...[number, string][]];

/** For what is neither good nor bad. */
export const plain: Steps = ['blue'];
/** Where anything but 0 is worth a look. */
export const noneIsGood: Steps = ['green', [1e-9, 'orange']];
export const filling: Steps = ['green', [0.7, 'orange'], [0.9, 'red']];

/** What a quotient or a quantile says while nothing happens. */
const idle: ValueMapping = {
  type: MappingType.SpecialValue,
  options: { match: SpecialValueMatch.NotANumber, result: { text: 'idle', color: 'text' } },
};

export function thresholds([first, ...rest]: Steps): ThresholdsConfigBuilder {
  const steps = [
    { value: null as unknown as number, color: first },
    ...rest.map(([value, color]) => ({ value, color })),
  ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps satisfies Threshold[]);
}

function link(runbook: string): DashboardLinkBuilder {
  const [file, heading] = runbook.split('#');
  const title = `Runbook: ${file}, ${heading}`;
  return new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(`\${docs}/${runbook}`).targetBlank(true);
}

function ranges(queries: Query[]): DataqueryBuilder[] {
  return queries.map(([expression, legend], index) =>
    new DataqueryBuilder().datasource(source).expr(expression).legendFormat(legend).range().refId(letter(index)),
  );
}

/** Queries for the newest values only, as rows of a table. */
function rows(expressions: string[]): DataqueryBuilder[] {
  return expressions.map((expression, index) =>
    new DataqueryBuilder()
      .datasource(source)
      .expr(expression)
      .instant()
      .format(PromQueryFormat.Table)
      .refId(letter(index)),
  );
}

const letter = (index: number) => String.fromCharCode('A'.charCodeAt(0) + index);

/** One large number for each query, with its course behind it. */
export function stat(about: About, queries: Query[], steps: Steps = plain): Stat {
  return new Stat()
    .title(about.title)
    .description(about.description)
    .links([link(about.runbook)])
    .datasource(source)
    .span(about.width)
    .height(5)
    .unit(about.unit)
    .min(0)
    .noValue('no data')
    .mappings([idle])
    .thresholds(thresholds(steps))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.Area)
    .orientation(VizOrientation.Auto)
    .text(new VizTextDisplayOptionsBuilder().titleSize(13).valueSize(28))
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .targets(ranges(queries));
}

/** Lines over time, the largest first in the legend. */
export function lines(about: About, queries: Query[]): TimeSeries {
  return new TimeSeries()
    .title(about.title)
    .description(about.description)
    .links([link(about.runbook)])
    .datasource(source)
    .span(about.width)
    .height(9)
    .unit(about.unit)
    .noValue('no data')
    .min(0)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
    .lineWidth(1.5)
    .fillOpacity(8)
    .gradientMode(GraphGradientMode.Opacity)
    .showPoints(VisibilityMode.Never)
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull', 'max'])
        .sortBy('Max')
        .sortDesc(true),
    )
    .targets(ranges(queries));
}

/** Lines that are at 0 where all is well. */
export const alarms = (about: About, queries: Query[]) => lines(about, queries).axisSoftMax(5);

/** One bar for each query, from empty to full. */
export function bars(about: About, queries: Query[]): BarGauge {
  return new BarGauge()
    .title(about.title)
    .description(about.description)
    .links([link(about.runbook)])
    .datasource(source)
    .span(about.width)
    .height(9)
    .unit(about.unit)
    .noValue('no data')
    .min(0)
    .max(1)
    .thresholds(thresholds(filling))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .orientation(VizOrientation.Horizontal)
    .text(new VizTextDisplayOptionsBuilder().titleSize(14).valueSize(18))
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .targets(ranges(queries));
}

/** How often each bucket of a histogram was hit, over time. */
export function heatmap(about: About, buckets: string): Heatmap {
  const query = new DataqueryBuilder().datasource(source).expr(buckets).legendFormat('{{le}}').range();
  return new Heatmap()
    .title(about.title)
    .description(about.description)
    .links([link(about.runbook)])
    .datasource(source)
    .span(about.width)
    .height(9)
    .calculate(false)
    .color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Turbo').steps(64).exponent(0.5))
    .yAxis(new YAxisConfigBuilder().unit(about.unit))
    .cellGap(1)
    .showLegend()
    .targets([query.format(PromQueryFormat.Heatmap).refId('A')]);
}

/** One row for each set of labels; the columns of all queries are joined, and renamed, in this order. */
export function table(about: About, expressions: string[], columns: Record<string, string>): Table {
  const names = Object.keys(columns);
  const organize = {
    includeByName: Object.fromEntries(names.map((name) => [name, true])),
    indexByName: Object.fromEntries(names.map((name, index) => [name, index])),
    renameByName: columns,
  };
  return new Table()
    .title(about.title)
    .description(about.description)
    .links([link(about.runbook)])
    .datasource(source)
    .span(about.width)
    .height(6)
    .noValue('–')
    .sortBy([new TableSortByFieldStateBuilder().displayName(columns[names[0]]).desc(false)])
    .targets(rows(expressions))
    .transformations([
      { id: 'merge', options: {} },
      { id: 'organize', options: organize },
    ]);
}

/** A column's own unit and colours; a unit on a whole table would ruin the labels. */
export function column(panel: Table, name: string, unit: string, steps?: Steps): Table {
  const properties: { id: string; value: unknown }[] = [{ id: 'unit', value: unit }];
  if (steps) {
    properties.push({ id: 'color', value: { mode: FieldColorModeId.Thresholds } });
    properties.push({ id: 'thresholds', value: thresholds(steps).build() });
    properties.push({ id: 'custom.cellOptions', value: { type: 'color-text' } });
  }
  return panel.overrideByName(name, properties as { id: string; value: object }[]);
}
