// placeholder while building
export function runDemo(): void {
  /* */
}
