// Module parts/address shows a Teredo address, and what each of its parts says, to whoever points at it or steps to it.
import { Tooltip } from 'radix-ui';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import { takeApart } from '../app/address.ts';

export function Address({ address }: { address: string }): ReactElement {
  const { t } = useTranslation();
  const parts = takeApart(address);
  if (!parts) return <code className="address">{address}</code>;
  return (
    <span className="address mono">
      {parts.map(({ name, text, says }) => (
        <Tooltip.Root key={name} delayDuration={0}>
          <Tooltip.Trigger asChild>
            <button type="button" className={`address-part part-${name}`}>
              {text}
            </button>
          </Tooltip.Trigger>
          <Tooltip.Portal>
            <Tooltip.Content className="float" sideOffset={6} side="bottom">
              <strong>{t(`status.part.${name}`, { says })}</strong>
              {t(`status.partText.${name}`)}
            </Tooltip.Content>
          </Tooltip.Portal>
        </Tooltip.Root>
      ))}
    </span>
  );
}
