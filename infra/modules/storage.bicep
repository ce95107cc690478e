import { roles } from 'roles.bicep'
import { tagsType } from 'types.bicep'

@description('Resource id of the app\'s identity.')
param identityId string

@description('Object id of the app\'s identity.')
param identityPrincipalId string

@description('Region.')
param location string

@description('Name of the account: up to 24 letters and digits.')
@maxLength(24)
param name string

@description('Close the account to the internet.')
param privateNetwork bool

@description('Tags.')
param tags tagsType

@description('Spread over availability zones.')
param zoneRedundant bool

// The Functions host keeps locks, timers' leases and its keys in blob containers that it creates itself, and diagnostic
// events in a table.
var hostRoles = [roles.storageBlobDataOwner, roles.storageTableDataContributor]

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: { enabled: true, days: 7 }
      containerDeleteRetentionPolicy: { enabled: true, days: 7 }
    }

    resource deployments 'containers' = {
      name: 'deployments'
      properties: { publicAccess: 'None' }
    }

    // The bytes of clients' files: src/blobs/connection.ts has the name. The host's role on the account is enough for them.
    resource files 'containers' = {
      name: 'files'
      properties: { publicAccess: 'None' }
    }
  }
}

resource hostWorks 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in hostRoles: {
    name: guid(account.id, identityId, role)
    scope: account
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
      principalId: identityPrincipalId
      principalType: 'ServicePrincipal'
    }
  }
]

@description('BLOBS_ENDPOINT.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

@description('Where the package of the app is.')
output deploymentContainerUrl string = '${account.properties.primaryEndpoints.blob}${account::blobs::deployments.name}'

@description('Resource id of the account.')
output id string = account.id

@description('Name of the account.')
output name string = account.name
