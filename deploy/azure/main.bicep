// All of it: storage, events, database, vault, registry, network, web page and daemon.
//
//   az deployment group create --resource-group <group> --template-file deploy/azure/main.bicep
//
// The first time without an image; then again with the one that was built (deploy/README.md).
targetScope = 'resourceGroup'

@description('Names of what is made begin with it: lower case letters and digits.')
@minLength(3)
@maxLength(11)
param name string = 'novade'

@description('The Azure region.')
param location string = resourceGroup().location

@description('The image of web page, daemon and runs; empty makes everything but these.')
param image string = ''

@description('Whether the web page can be reached from the internet, or only from the virtual network. Azure lets nobody change this later.')
param webOnInternet bool = false

@description('Client id of the Entra app registration that people sign in to the web page with. On the internet there is no page without it.')
param webClientId string = ''

@description('Addresses or ranges outside of the virtual network that may reach storage and vault.')
param allowedIpRanges array = []

@description('How what has landed is found.')
@allowed([
  'listing'
  'queue'
])
param landingDiscovery string = 'queue'

@description('Further settings: variable -> value. Nothing secret.')
param settings object = {}

@description('Secret settings: variable -> name of a secret that is in the Key Vault already.')
param secretSettings object = {}

@description('Of the warehouse disk, GiB; what Azure provisions is paid for, used or not.')
param diskGiB int = 100

var unique = '${name}${uniqueString(resourceGroup().id)}'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-graph'
  location: location
}

module network 'network.bicep' = {
  name: 'network'
  params: {
    name: name
    location: location
  }
}

module storage 'storage.bicep' = {
  name: 'storage'
  params: {
    accountName: unique
    location: location
    appsSubnetId: network.outputs.appsSubnetId
    allowedIpRanges: allowedIpRanges
  }
}

module disk 'disk.bicep' = {
  name: 'disk'
  params: {
    accountName: '${take(name, 8)}nfs${uniqueString(resourceGroup().id)}'
    location: location
    appsSubnetId: network.outputs.appsSubnetId
    sizeGiB: diskGiB
  }
}

module database 'database.bicep' = {
  name: 'database'
  params: {
    serverName: '${name}-${uniqueString(resourceGroup().id)}'
    location: location
    subnetId: network.outputs.databaseSubnetId
    networkId: network.outputs.networkId
    identityName: identity.name
    identityPrincipalId: identity.properties.principalId
  }
}

module vault 'vault.bicep' = {
  name: 'vault'
  params: {
    vaultName: unique
    registryName: unique
    location: location
    appsSubnetId: network.outputs.appsSubnetId
    allowedIpRanges: allowedIpRanges
  }
}

module platform 'environment.bicep' = {
  name: 'environment'
  params: {
    name: name
    location: location
    subnetId: network.outputs.appsSubnetId
    isInternal: !webOnInternet
    diskHost: disk.outputs.host
    diskPath: disk.outputs.path
  }
}

module access 'access.bicep' = {
  name: 'access'
  params: {
    name: name
    identityName: identity.name
    accountName: storage.outputs.accountName
    vaultName: vault.outputs.vaultName
    registryName: vault.outputs.registryName
  }
}

module events 'events.bicep' = {
  name: 'events'
  params: {
    name: name
    location: location
    accountName: storage.outputs.accountName
  }
}

module apps 'apps.bicep' = if (!empty(image)) {
  name: 'apps'
  params: {
    name: name
    location: location
    image: image
    webOnInternet: webOnInternet
    webClientId: webClientId
    identityName: identity.name
    environmentName: platform.outputs.environmentName
    diskName: platform.outputs.diskName
    accountName: storage.outputs.accountName
    vaultName: vault.outputs.vaultName
    registryName: vault.outputs.registryName
    databaseHost: database.outputs.host
    databaseName: database.outputs.databaseName
    landingDiscovery: landingDiscovery
    settings: settings
    secretSettings: secretSettings
  }
  dependsOn: [
    access
    events
  ]
}

output account string = storage.outputs.accountName
output vault string = vault.outputs.vaultName
output registry string = vault.outputs.registryName
output webHost string = '${name}-web.${platform.outputs.domain}'
