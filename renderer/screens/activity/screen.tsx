// Module activity/screen shows what passed, what was refused, and what changed.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '../../app/calls.ts';
import { shortPath, useStore } from '../../app/store.ts';
import { Button, Choices } from '../../parts/button.tsx';
import { Page } from '../../parts/page.tsx';
import { Events } from './events.tsx';
import { Flows } from './flows.tsx';

const VIEWS = ['flows', 'log'] as const;
type View = (typeof VIEWS)[number];

export function ActivityScreen(): ReactElement {
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  const [view, setView] = useState<View>('flows');
  const choice = (
    <Choices
      label={t('activity.view')}
      value={view}
      onChange={setView}
      options={VIEWS.map((value) => ({ value, text: t(`activity.${value}`) }))}
    />
  );
  const save = async (): Promise<void> => {
    const saved = await call('save', { what: view });
    if (saved?.path != null)
      tell({ kind: 'done', text: t('activity.saved', { path: shortPath(saved.path) }) });
  };
  return (
    <Page
      whole
      title={t('activity.title')}
      lead={t('activity.lead')}
      actions={
        <Button icon="save" onPress={() => void save()}>
          {t('activity.save')}
        </Button>
      }
    >
      {view === 'flows' ? <Flows view={choice} /> : <Events view={choice} />}
    </Page>
  );
}
