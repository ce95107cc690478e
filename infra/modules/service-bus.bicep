import { queues } from 'queues.bicep'
import { roles } from 'roles.bicep'
import { developerType, tagsType } from 'types.bicep'

@description('Who may send and receive beside the app.')
param developer developerType?

@description('Resource id of the app\'s identity.')
param identityId string

@description('Object id of the app\'s identity.')
param identityPrincipalId string

@description('Region.')
param location string

@description('Name of the namespace.')
param name string

@description('Close the namespace to the internet: Premium only.')
param privateNetwork bool

@description('Tier. Standard cannot become Premium in place.')
@allowed(['Standard', 'Premium'])
param sku string

@description('Tags.')
param tags tagsType

@description('Workspace for the log of changes of the namespace.')
param workspaceId string

// Data Owner, on the queues only: the host scales the workers by the queues' lengths, and an identity that may only send
// and receive cannot see them.
var dataOwner = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataOwner)

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: sku == 'Premium' ? { name: 'Premium', tier: 'Premium', capacity: 1 } : { name: 'Standard', tier: 'Standard' }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
  }
}

resource queue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [
  for each in queues: {
    parent: namespace
    name: each.Name
    properties: {
      lockDuration: each.Properties.LockDuration
      maxDeliveryCount: each.Properties.MaxDeliveryCount
      requiresDuplicateDetection: each.Properties.RequiresDuplicateDetection
      duplicateDetectionHistoryTimeWindow: each.Properties.DuplicateDetectionHistoryTimeWindow
      defaultMessageTimeToLive: each.Properties.DefaultMessageTimeToLive
      deadLetteringOnMessageExpiration: each.Properties.DeadLetteringOnMessageExpiration
      requiresSession: each.Properties.RequiresSession
      enableBatchedOperations: true
      maxSizeInMegabytes: 1024
    }
  }
]

resource appOwns 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (each, index) in queues: {
    name: guid(queue[index].id, identityId, dataOwner)
    scope: queue[index]
    properties: {
      roleDefinitionId: dataOwner
      principalId: identityPrincipalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource developerOwns 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (each, index) in queues: if (developer != null) {
    name: guid(queue[index].id, developer.?principalId ?? '', dataOwner)
    scope: queue[index]
    properties: {
      roleDefinitionId: dataOwner
      principalId: developer.?principalId ?? ''
      principalType: developer.?principalType
    }
  }
]

resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'log'
  scope: namespace
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'OperationalLogs', enabled: true }]
  }
}

@description('ServiceBusConnection__fullyQualifiedNamespace of the app.')
output fullyQualifiedNamespace string = '${namespace.name}.servicebus.windows.net'

@description('Resource id of the namespace.')
output id string = namespace.id
