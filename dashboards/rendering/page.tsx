// One dashboard on one page, for a browser: `?dashboard=relay&prometheus=http://...&scrape=1&from=now-60s`.

import { createTheme } from '@grafana/data';
import {
  DataSourceVariable,
  EmbeddedScene,
  QueryVariable,
  SceneControlsSpacer,
  SceneDataTransformer,
  SceneGridItem,
  SceneGridLayout,
  SceneGridRow,
  SceneQueryRunner,
  SceneTimePicker,
  SceneTimeRange,
  SceneVariableSet,
  sceneUtils,
  TextBoxVariable,
  VariableValueSelectors,
  VizPanel,
  type SceneVariable,
} from '@grafana/scenes';
import { GlobalStyles, PortalContainer, ThemeContext } from '@grafana/ui';
import { useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import { MemoryRouter } from 'react-router-dom';

import loadgen from '../loadgen.json';
import relay from '../relay.json';
import { plugins } from './plugins';
import { Prometheus } from './prometheus';
import { provideServices, registerFieldOptions } from './services';
import { witness } from './witness';

// Of the JSON, that which is common to all panels and variables.
/* eslint-disable-next-line @typescript-eslint/no-explicit-any */
type Json = any;

const asked = new URLSearchParams(window.location.search);
const json: Json = { relay, loadgen }[asked.get('dashboard') ?? 'relay'];
const theme = createTheme({ colors: { mode: 'dark' } });
const prometheus = new Prometheus(asked.get('prometheus') ?? '', Number(asked.get('scrape')));
const panelPlugins = plugins(theme);
const datasource = { uid: 'prometheus' };

registerFieldOptions();
provideServices(theme, panelPlugins, prometheus);
sceneUtils.registerRuntimeDataSource({ dataSource: prometheus });
for (const [pluginId, plugin] of Object.entries(panelPlugins))
  sceneUtils.registerRuntimePanelPlugin({ pluginId, plugin });

function variable(from: Json): SceneVariable {
  const { name, label, query, multi, includeAll, allValue, sort } = from;
  if (from.type === 'datasource')
    return new DataSourceVariable({ name, label, pluginId: query, value: 'prometheus', text: 'Prometheus' });
  if (from.type === 'textbox') return new TextBoxVariable({ name, label, value: query });
  return new QueryVariable({
    name,
    label,
    datasource,
    query,
    isMulti: multi,
    includeAll,
    allValue,
    sort,
    defaultToAll: true,
    value: '$__all',
    text: 'All',
  });
}

function panel(from: Json): SceneGridItem {
  const { title, description, type: pluginId, options, fieldConfig, targets: queries, transformations, gridPos } = from;
  const asks = new SceneQueryRunner({ datasource, queries });
  const $data = transformations ? new SceneDataTransformer({ $data: asks, transformations }) : asks;
  const body = new VizPanel({ key: `panel-${from.id}`, title, description, pluginId, options, fieldConfig, $data });
  return new SceneGridItem({ x: gridPos.x, y: gridPos.y, width: gridPos.w, height: gridPos.h, body });
}

function rows(panels: Json[]): SceneGridRow[] {
  const rows: SceneGridRow[] = [];
  for (const each of panels) {
    if (each.type === 'row')
      rows.push(
        new SceneGridRow({
          key: `row-${each.id}`,
          title: each.title,
          y: each.gridPos.y,
          isCollapsible: true,
          children: [],
        }),
      );
    else rows.at(-1)?.setState({ children: [...rows.at(-1)!.state.children, panel(each)] });
  }
  return rows;
}

const variables = new SceneVariableSet({ variables: json.templating.list.map(variable) });
const scene = new EmbeddedScene({
  $timeRange: new SceneTimeRange({ from: asked.get('from') ?? json.time.from, to: json.time.to }),
  $variables: variables,
  controls: [new VariableValueSelectors({}), new SceneControlsSpacer(), new SceneTimePicker({})],
  body: new SceneGridLayout({ children: rows(json.panels) }),
});

function Page() {
  useEffect(() => {
    const timer = setInterval(() => {
      for (const each of variables.state.variables) {
        const options = (each.state as { options?: { label: string }[] }).options ?? [];
        witness.variables[each.state.name] = options.map(({ label }) => label);
      }
    }, 100);
    return () => clearInterval(timer);
  }, []);
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <h2 style={{ color: theme.colors.text.primary, margin: '12px 16px 0' }}>{json.title}</h2>
      <scene.Component model={scene} />
      <PortalContainer />
    </ThemeContext.Provider>
  );
}

createRoot(document.getElementById('root')!, {
  onUncaughtError: (error) => witness.errors.push(`uncaught: ${error}`),
  onCaughtError: (error) => witness.errors.push(`caught: ${error}`),
}).render(
  <MemoryRouter>
    <Page />
  </MemoryRouter>,
);
