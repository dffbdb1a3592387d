// What Grafana's front end expects of the application around it: registries and services, as little as the panels need.

import {
  displayNameOverrideProcessor,
  EventBusSrv,
  identityOverrideProcessor,
  LoadingState,
  numberOverrideProcessor,
  standardEditorsRegistry,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  stringOverrideProcessor,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
  type GrafanaTheme2,
  type PanelPlugin,
} from '@grafana/data';
import * as runtime from '@grafana/runtime';
import { catchError, map, of } from 'rxjs';

import type { Prometheus } from './prometheus';
import { witness } from './witness';

// The services are larger than what is used of them here.
/* eslint-disable-next-line @typescript-eslint/no-explicit-any */
type Partly = any;

function option(id: string, process: unknown, defaultValue?: unknown): Partly {
  const never = () => null;
  return {
    id,
    path: id,
    name: id,
    description: '',
    process,
    shouldApply: () => true,
    settings: {},
    defaultValue,
    editor: never,
    override: never,
  };
}

export function registerFieldOptions() {
  standardFieldConfigEditorRegistry.setInit(() => [
    option('displayName', displayNameOverrideProcessor),
    option('unit', unitOverrideProcessor),
    option('min', numberOverrideProcessor),
    option('max', numberOverrideProcessor),
    option('decimals', numberOverrideProcessor),
    option('mappings', valueMappingsOverrideProcessor, []),
    option('thresholds', thresholdsOverrideProcessor, {
      mode: 'absolute',
      steps: [{ value: -Infinity, color: 'green' }],
    }),
    option('color', identityOverrideProcessor, { mode: 'palette-classic' }),
    option('noValue', stringOverrideProcessor),
    option('links', identityOverrideProcessor, []),
  ]);
  const editors = [
    'text',
    'number',
    'boolean',
    'select',
    'radio',
    'multi-select',
    'slider',
    'unit',
    'color',
    'stats-picker',
    'fieldColor',
  ];
  standardEditorsRegistry.setInit(() => editors.map((id) => ({ id, name: id, editor: () => null })));
  const transformers = [standardTransformers.mergeTransformer, standardTransformers.organizeFieldsTransformer];
  standardTransformersRegistry.setInit(() =>
    transformers.map(
      (transformation) =>
        ({
          id: transformation.id,
          name: transformation.name,
          editor: () => null,
          transformation: async () => transformation,
        }) as Partly,
    ),
  );
}

export function provideServices(theme: GrafanaTheme2, plugins: Record<string, PanelPlugin>, prometheus: Prometheus) {
  (runtime.config as Partly).theme2 = theme;
  (runtime.config as Partly).featureToggles = {};
  runtime.setAppEvents(new EventBusSrv());
  const settings = {
    name: 'Prometheus',
    uid: 'prometheus',
    type: 'prometheus',
    meta: { id: 'prometheus', info: { logos: {} } },
  };
  runtime.setDataSourceSrv({
    get: async () => prometheus,
    getList: () => [settings],
    getInstanceSettings: () => settings,
  } as Partly);
  runtime.setPluginImportUtils({
    getPanelPluginFromCache: (id) => plugins[id],
    importPanelPlugin: async (id) => plugins[id],
  });
  runtime.setTemplateSrv({
    replace: (text: string) => text,
    getVariables: () => [],
    containsTemplate: () => false,
    updateTimeRange() {},
  } as Partly);
  runtime.setRunRequest(((source: Prometheus, request: Partly) =>
    source.query(request).pipe(
      map(({ data }) => ({
        state: LoadingState.Done,
        series: data,
        annotations: [],
        timeRange: request.range,
        request,
      })),
      catchError((error) => {
        witness.errors.push(`query: ${error}`);
        return of({
          state: LoadingState.Error,
          series: [],
          timeRange: request.range,
          error: { message: String(error) },
        });
      }),
    )) as Partly);
  (runtime as Partly).setPluginComponentHook?.(() => ({ component: null, isLoading: false }));
  (runtime as Partly).setPluginLinksHook?.(() => ({ links: [], isLoading: false }));
}
