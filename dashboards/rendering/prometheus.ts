// The data source: asks a real Prometheus, and gives what it says the form that Grafana's own plug-in gives it.

import {
  createDataFrame,
  FieldType,
  LoadingState,
  type DataFrame,
  type DataQueryRequest,
  type DataQueryResponse,
} from '@grafana/data';
import { RuntimeDataSource, sceneGraph, type SceneObject } from '@grafana/scenes';
import type { DataQuery } from '@grafana/schema';
import { from, type Observable } from 'rxjs';

import { witness } from './witness';

interface Query extends DataQuery {
  expr: string;
  legendFormat?: string;
  instant?: boolean;
  format?: string;
}

interface Series {
  metric: Record<string, string>;
  values?: [number, string][];
  value?: [number, string];
}

export class Prometheus extends RuntimeDataSource {
  constructor(
    private readonly address: string,
    private readonly scrapeSeconds: number,
  ) {
    super('prometheus', 'prometheus');
  }

  query(request: DataQueryRequest): Observable<DataQueryResponse> {
    const answers = Promise.all((request.targets as Query[]).map((query) => this.ask(query, request)));
    return from(answers.then((frames) => ({ data: frames.flat(), state: LoadingState.Done })));
  }

  /** The values of a label, for a variable. */
  async metricFindQuery(
    query: { query: string },
    options?: { scopedVars?: Record<string, { value: { valueOf(): SceneObject } }> },
  ) {
    const [, series, label] = /^label_values\((.*), *(\w+)\)$/.exec(query.query) ?? [];
    const scene = options?.scopedVars?.__sceneObject?.value.valueOf();
    const matcher = scene ? sceneGraph.interpolate(scene, series, undefined, alternatives) : series;
    const values: string[] = await this.get(`label/${label}/values?match[]=${encodeURIComponent(matcher)}`);
    return values.map((text) => ({ text, value: text }));
  }

  private async ask(query: Query, request: DataQueryRequest): Promise<DataFrame[]> {
    const [start, end] = [request.range.from.unix(), request.range.to.unix()];
    const step = Math.max(this.scrapeSeconds, Math.ceil((end - start) / (request.maxDataPoints ?? 500)));
    // As documented for $__rate_interval.
    const rate = Math.max(step + this.scrapeSeconds, 4 * this.scrapeSeconds);
    const scene = (request.scopedVars.__sceneObject as { value: { valueOf(): SceneObject } }).value.valueOf();
    const scoped = { ...request.scopedVars, __rate_interval: { text: '', value: `${rate}s` } };
    const expression = encodeURIComponent(sceneGraph.interpolate(scene, query.expr, scoped, alternatives));
    const question = query.instant
      ? `query?time=${end}&query=${expression}`
      : `query_range?start=${start}&end=${end}&step=${step}&query=${expression}`;
    const { result }: { result: Series[] } = await this.get(question);
    if (query.format === 'table') return [asTable(query.refId, result)];
    const frames = result.map((series) => asFrame(query, series));
    return query.format === 'heatmap' ? asBuckets(frames) : frames;
  }

  private async get(question: string) {
    const answer = await (await fetch(`${this.address}/api/v1/${question}`)).json();
    if (answer.status !== 'success') {
      witness.errors.push(`${decodeURIComponent(question)}: ${answer.error}`);
      throw new Error(answer.error);
    }
    return answer.data;
  }
}

const alternatives = (value: unknown) => (Array.isArray(value) ? `(${value.join('|')})` : String(value));

function asFrame(query: Query, { metric, values = [] }: Series): DataFrame {
  const legend = (query.legendFormat ?? '').replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => metric[label] ?? '');
  return createDataFrame({
    refId: query.refId,
    name: legend,
    fields: [
      { name: 'Time', type: FieldType.time, values: values.map(([time]) => time * 1000) },
      {
        name: 'Value',
        type: FieldType.number,
        labels: metric,
        values: values.map(([, value]) => Number(value)),
        config: { displayNameFromDS: legend },
      },
    ],
  });
}

function asTable(refId: string, result: Series[]): DataFrame {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))];
  return createDataFrame({
    refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: result.map(({ value }) => (value?.[0] ?? 0) * 1000) },
      ...labels.map((name) => ({ name, type: FieldType.string, values: result.map(({ metric }) => metric[name]) })),
      { name: `Value #${refId}`, type: FieldType.number, values: result.map(({ value }) => Number(value?.[1])) },
    ],
  });
}

/** Prometheus counts in each bucket what is in the smaller ones, too. */
function asBuckets(frames: DataFrame[]): DataFrame[] {
  const bound = (frame: DataFrame) => Number((frame.fields[1].labels?.le ?? '').replace('+Inf', 'Infinity'));
  const sorted = [...frames].sort((one, other) => bound(one) - bound(other));
  return sorted.map((frame, index) => {
    const below = new Map(
      sorted[index - 1]?.fields[0].values.map((time, at) => [time, sorted[index - 1].fields[1].values[at]]),
    );
    const [time, value] = frame.fields;
    const values = value.values.map((count, at) => Math.max(0, count - (below.get(time.values[at]) ?? 0)));
    return { ...frame, fields: [time, { ...value, values }] };
  });
}
