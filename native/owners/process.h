// The process that answers about owners: beside the helper's session, with other privileges than it, and gone with it.
#pragma once
#include "service.h"

namespace owners {

class OwnersProcess {
 public:
  // Forks; to be called while the privileges are there and before descriptors are opened that it must not have. `keepPrivileges`
  // is called in it once the programs are loaded, and leaves what reading /proc needs. False: there is none.
  bool fork(bool (*keepPrivileges)());
  // Ends it; so does the end of this process.
  void close() { control_.reset(); }
  // Lets it begin for `start`; gives the engine's end of its stream, or an invalid descriptor. Once only.
  Descriptor begin(const Start& start);
  // The programs judge packets with this address once it returns true; true also when it has not begun. Only Teredo addresses.
  bool addAddress(const Address& address) { return order({true, address}); }
  void removeAddress(const Address& address) { order({false, address}); }

 private:
  bool order(const AddressOrder& order);
  Descriptor control_;
  bool begun_ = false;
};

}  // namespace owners
