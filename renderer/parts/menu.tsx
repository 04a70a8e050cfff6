// Module parts/menu is a button that opens a list of things to do.
import { DropdownMenu } from 'radix-ui';
import type { ReactElement, ReactNode } from 'react';
import { Icon } from './icon.tsx';
import type { IconName } from './icon.tsx';

export interface MenuItem {
  readonly text: string;
  readonly onPress: () => void;
  readonly disabled?: boolean;
}

/** Not modal: a modal one would write styles into the page, which its policy forbids. */
export function Menu(props: {
  children?: ReactNode;
  label?: string;
  icon?: IconName;
  quiet?: boolean;
  items: readonly MenuItem[];
}): ReactElement {
  const { children, label, icon, quiet, items } = props;
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>
        <button
          type="button"
          className={`button ${quiet ? 'quiet' : 'plain'} ${children ? '' : 'icon-only'}`}
          aria-label={label}
          title={children ? undefined : label}
        >
          {icon && <Icon name={icon} size={16} />}
          {children}
          {children && <Icon name="down" size={12} />}
        </button>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end" sideOffset={4}>
          {items.map(({ text, onPress, disabled }) => (
            <DropdownMenu.Item
              key={text}
              className="menu-item"
              onSelect={onPress}
              disabled={disabled ?? false}
            >
              {text}
            </DropdownMenu.Item>
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
