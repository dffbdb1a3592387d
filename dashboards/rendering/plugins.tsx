// The panels, wrapped by hand around the components that Grafana publishes; its own plug-ins are not published.

import {
  FieldType,
  formattedValueToString,
  getDisplayProcessor,
  getDisplayValueAlignmentFactors,
  getFieldDisplayName,
  getFieldDisplayValues,
  identityOverrideProcessor,
  PanelPlugin,
  type DataFrame,
  type FieldDisplay,
  type GrafanaTheme2,
  type PanelProps,
} from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

import { Cells } from './heatmap';
import { witness, type Seen } from './witness';

// The options are those of the dashboard's JSON, in the form of each panel.
/* eslint-disable-next-line @typescript-eslint/no-explicit-any */
type Options = any;
type Props = PanelProps<Options>;

const tell = (type: string, title: string, seen: Seen[]) => (witness.panels[title] = { type, seen });

/** The newest value of a series, as text with its unit. */
function newest(frame: DataFrame, frames: DataFrame[]): Seen {
  const field = frame.fields.find(({ type }) => type === FieldType.number);
  if (!field) return { name: frame.name ?? '', text: '' };
  return {
    name: getFieldDisplayName(field, frame, frames),
    text: formattedValueToString(field.display!(field.values.at(-1))),
  };
}

function Lines({ title, data, options, timeRange, timeZone, width, height }: Props) {
  const frames = data.series;
  frames
    .flatMap(({ fields }) => fields.filter(({ type }) => type !== FieldType.time))
    .forEach((field, index) => {
      field.state = { ...field.state, seriesIndex: index };
    });
  tell(
    'timeseries',
    title,
    frames.map((frame) => newest(frame, frames)),
  );
  return (
    <TimeSeries
      frames={frames}
      structureRev={data.structureRev}
      timeRange={timeRange}
      timeZone={timeZone}
      width={width}
      height={height}
      legend={{ calcs: [], ...options.legend }}
      options={options}
    />
  );
}

function reduced(props: Props, theme: GrafanaTheme2): FieldDisplay[] {
  const { fieldConfig, options, replaceVariables, data, timeZone } = props;
  return getFieldDisplayValues({
    fieldConfig,
    reduceOptions: options.reduceOptions,
    replaceVariables,
    theme,
    data: data.series,
    timeZone,
    sparkline: options.graphMode === 'area',
  });
}

const shown = (values: FieldDisplay[]): Seen[] =>
  values.map(({ display }) => ({ name: display.title ?? '', text: formattedValueToString(display) }));

const big = (theme: GrafanaTheme2) =>
  function Big(props: Props) {
    const { title, options, data, width, height, renderCounter } = props;
    const values = reduced(props, theme);
    tell('stat', title, shown(values));
    return (
      <VizRepeater
        getValues={() => values}
        renderValue={({ value, width, height, count }) => (
          <BigValue
            value={value.display}
            sparkline={value.sparkline}
            width={width}
            height={height}
            theme={theme}
            count={count}
            colorMode={options.colorMode}
            graphMode={options.graphMode}
            justifyMode={options.justifyMode}
            textMode={options.textMode}
            text={options.text}
          />
        )}
        width={width}
        height={height}
        source={data}
        renderCounter={renderCounter}
        autoGrid
        orientation={options.orientation}
      />
    );
  };

const bars = (theme: GrafanaTheme2) =>
  function Bars(props: Props) {
    const { title, options, data, width, height, renderCounter } = props;
    const values = reduced(props, theme);
    tell('bargauge', title, shown(values));
    return (
      <VizRepeater
        getValues={() => values}
        getAlignmentFactors={getDisplayValueAlignmentFactors}
        renderValue={({ value, width, height, alignmentFactors }) => (
          <BarGauge
            value={value.display}
            field={value.field}
            display={value.view?.getFieldDisplayProcessor(value.colIndex!)}
            width={width}
            height={height}
            orientation={options.orientation}
            theme={theme}
            displayMode={options.displayMode}
            showUnfilled={options.showUnfilled}
            namePlacement={options.namePlacement}
            valueDisplayMode={options.valueMode}
            alignmentFactors={alignmentFactors}
            text={options.text}
            itemSpacing={8}
            lcdCellWidth={12}
          />
        )}
        width={width}
        height={height}
        source={data}
        itemSpacing={8}
        renderCounter={renderCounter}
        orientation={options.orientation}
      />
    );
  };

function Rows({ title, data, width, height, timeRange, fieldConfig }: Props) {
  const [frame] = data.series;
  const cells = frame?.fields.flatMap((field) =>
    field.values.map((value) => ({
      name: getFieldDisplayName(field, frame),
      text: formattedValueToString(field.display!(value)),
    })),
  );
  tell('table', title, cells ?? []);
  return (
    <TableNG
      data={frame}
      width={width}
      height={height}
      timeRange={timeRange}
      structureRev={data.structureRev}
      fieldConfig={fieldConfig}
      getActions={() => []}
    />
  );
}

const heat = (theme: GrafanaTheme2) =>
  function Heat({ title, data, options, timeRange, width, height }: Props) {
    const display = getDisplayProcessor({
      field: { type: FieldType.number, config: { unit: options.yAxis.unit } },
      theme,
    });
    const bound = (frame: DataFrame) => frame.fields[1].labels?.le ?? '';
    const text = (le: string) => (le === '+Inf' ? '∞' : formattedValueToString(display(Number(le))));
    const busy = (frame: DataFrame) => frame.fields[1].values.some((count) => count > 0);
    tell(
      'heatmap',
      title,
      data.series
        .filter(busy)
        .map((frame) => ({ name: `up to ${text(bound(frame))}`, text: String(frame.fields[1].values.at(-1)) })),
    );
    return (
      <Cells
        rows={data.series}
        label={(frame) => text(bound(frame))}
        timeRange={timeRange}
        width={width}
        height={height}
        theme={theme}
        exponent={options.color.exponent}
      />
    );
  };

/** Options of a field that only this panel has, with their defaults. */
function custom(defaults: Record<string, unknown>): Options {
  const never = () => null;
  return {
    useCustomConfig: (builder: Options) =>
      Object.entries(defaults).forEach(([id, defaultValue]) =>
        builder.addCustomEditor({
          id,
          path: id,
          name: id,
          editor: never,
          override: never,
          process: identityOverrideProcessor,
          shouldApply: () => true,
          defaultValue,
        }),
      ),
  };
}

const ofLines = custom({
  drawStyle: 'line',
  lineInterpolation: 'linear',
  lineWidth: 1,
  fillOpacity: 0,
  gradientMode: 'none',
  showPoints: 'auto',
  pointSize: 5,
  spanNulls: false,
  axisPlacement: 'auto',
  axisLabel: '',
  axisColorMode: 'text',
  axisBorderShow: false,
  axisCenteredZero: false,
  axisSoftMin: undefined,
  axisSoftMax: undefined,
  barAlignment: 0,
  scaleDistribution: { type: 'linear' },
  stacking: { mode: 'none', group: 'A' },
  hideFrom: { viz: false, legend: false, tooltip: false },
  thresholdsStyle: { mode: 'off' },
});

export function plugins(theme: GrafanaTheme2): Record<string, PanelPlugin> {
  const byThresholds = { standardOptions: { color: { defaultValue: { mode: 'thresholds' } } } } as Options;
  const all: Record<string, PanelPlugin> = {
    timeseries: new PanelPlugin(Lines).useFieldConfig(ofLines),
    stat: new PanelPlugin(big(theme)).useFieldConfig(byThresholds),
    bargauge: new PanelPlugin(bars(theme)).useFieldConfig(byThresholds),
    table: new PanelPlugin(Rows).useFieldConfig(
      custom({ align: 'auto', inspect: false, cellOptions: { type: 'auto' } }),
    ),
    heatmap: new PanelPlugin(heat(theme)).useFieldConfig(custom({})),
  };
  for (const [id, plugin] of Object.entries(all)) {
    plugin.meta = {
      id,
      name: id,
      type: 'panel',
      module: '',
      baseUrl: '',
      info: { logos: {}, version: '13' },
      sort: 0,
    } as unknown as PanelPlugin['meta'];
  }
  return all;
}
