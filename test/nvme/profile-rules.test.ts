/** Profiles that cannot be, each with the sentence that names the combination; those that ship can. */
import { expect, test } from 'vitest';
import { NOTHING_ABSENT, RESERVATIONS } from '../../nvme/absences.ts';
import { EVERY_ADMIN_OPTION, NO_ADMIN_OPTION } from '../../nvme/admin/profile.ts';
import { plainFormat } from '../../nvme/lba-format.ts';
import { type ControllerProfile, GENERIC } from '../../nvme/profile.ts';
import { checkProfile } from '../../nvme/profile-check.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { VERSION } from '../../nvme/spec/registers.ts';

const OLD = { version: VERSION.V1_3, readyModes: 0, memoryBuffer_bytes: 0 };

test.each([GENERIC, QEMU])('$name is possible', (profile) => {
  expect(checkProfile(profile)).toEqual([]);
});

test.each<[Partial<ControllerProfile>, string]>([
  [
    { ...OLD, admin: EVERY_ADMIN_OPTION },
    'admin.persistentEvents is on, and version 0x10300 does not know it yet: it came with 0x10400',
  ],
  [
    { ...OLD, version: 0x1_0201, admin: { ...NO_ADMIN_OPTION, sanitize: ['crypto'] } },
    'admin.sanitize is on, and version 0x10201 does not know it yet: it came with 0x10300',
  ],
  [
    { writeCache: false, dirty_bytes: 4096 },
    'dirty_bytes is 4096, and without writeCache no written byte can be lost: 0',
  ],
  [{ commandSets: 0x03 }, 'commandSets 0x3 has reserved bits of CAP.CSS: 0x2'],
  [{ commandSets: 0x80 }, 'commandSets 0x80 lets no host choose the NVM command set: set bit 0'],
  [{ ...OLD, admin: NO_ADMIN_OPTION }, 'commandSets 0xc1 has bit 6, which version 0x10300 does not know yet'],
  [{ sgls: 3 }, 'sgls 0x3: 3 in bits 1:0 is reserved'],
  [{ sgls: 5 }, 'sgls 0x5 promises what is not modelled: 0x4'],
  [{ sgls: 0x1_0000 }, 'sgls 0x10000 describes SGLs that bits 1:0 say are not supported'],
  [
    { mdts: 1, formats: [plainFormat(512), plainFormat(16_384)] },
    'blocks of 16384 bytes are more than one command moves with mdts 1, 8KiB; raise mdts',
  ],
  [
    { absent: { ...NOTHING_ABSENT, io: ['COMPARE'] } },
    'compareAndWriteBlocks is 128, and absent.io names COMPARE, the half of it: 0',
  ],
  [{ quirks: ['anyAlignment', 'anyAlignment'] }, 'quirks names anyAlignment twice'],
  [
    { quirks: ['namespaceFirst'] },
    'compareAndWriteBlocks is 128, and with the quirk namespaceFirst nothing is fused: 0',
  ],
  [
    { quirks: ['privateNamespaces'], admin: NO_ADMIN_OPTION },
    'quirks names privateNamespaces, and without admin.namespaceManagement there is no command to refuse',
  ],
  [
    { absent: { ...NOTHING_ABSENT, admin: ['IDENTIFY'] } },
    'absent.admin names IDENTIFY, which every I/O controller has',
  ],
  [
    { absent: { ...NOTHING_ABSENT, admin: ['SANITIZE'] } },
    'absent.admin names SANITIZE, and admin.sanitize announces it in Identify; turn that off instead',
  ],
  [
    { absent: { ...RESERVATIONS, logs: [] } },
    'absent names a part of reservations and keeps RESERVATION_NOTIFICATION in logs; they are there all or none',
  ],
  [
    {
      absent: { ...NOTHING_ABSENT, features: ['TIMESTAMP'] },
      features: { fixed: ['TIMESTAMP'], defaults: {} },
    },
    'features.fixed names TIMESTAMP, which absent.features says is not there',
  ],
  [
    { features: { fixed: [], defaults: { ASYNC_EVENT: 0x40 } } },
    'features.defaults.ASYNC_EVENT is 0x40: bits 0x00000040 are reserved or not supported',
  ],
])('%o', (change, sentence) => {
  expect(checkProfile({ ...GENERIC, ...change })).toContain(sentence);
});
