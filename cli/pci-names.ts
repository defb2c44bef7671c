/** Names of PCI ids as pci.ids spells them, for the few that boards have; everything else shows its number. */

const CLASSES: Readonly<Record<string, string>> = {
  '0108': 'Non-Volatile memory controller',
  '0600': 'Host bridge',
  '0601': 'ISA bridge',
  '0604': 'PCI bridge',
};

const VENDORS: Readonly<Record<string, string>> = {
  '104c': 'Texas Instruments',
  '144d': 'Samsung Electronics Co Ltd',
  '1b36': 'Red Hat, Inc.',
  '8086': 'Intel Corporation',
};

const DEVICES: Readonly<Record<string, string>> = {
  '104c:8232': 'XIO3130 PCI Express Switch (Upstream)',
  '104c:8233': 'XIO3130 PCI Express Switch (Downstream)',
  '1b36:000c': 'QEMU PCIe Root port',
  '1b36:0010': 'QEMU NVM Express Controller',
};

const hex4 = (value: number): string => value.toString(16).padStart(4, '0');

/** Name of a class code of 24 bits, by its upper 16. */
export function className(code: number): string {
  const key = hex4(code >>> 8);
  return CLASSES[key] ?? `Class ${key}`;
}

/** Vendor and device in words; numbers for what is not known. */
export function deviceName(vendor: number, device: number): string {
  const [vendorKey, deviceKey] = [hex4(vendor), hex4(device)];
  const vendorName = VENDORS[vendorKey];
  if (vendorName === undefined) return `Device ${vendorKey}:${deviceKey}`;
  return `${vendorName} ${DEVICES[`${vendorKey}:${deviceKey}`] ?? `Device ${deviceKey}`}`;
}
