import { developerType, tagsType } from 'types.bicep'

@description('How request units are paid. An account cannot change it.')
@allowed(['serverless', 'autoscale'])
param capacity string

@description('Default consistency of the account.')
@allowed(['Strong', 'Session'])
param consistency string

@description('Who may read and write the data beside the app.')
param developer developerType?

@description('Dimensions of the vectors of chunks. A container cannot change it.')
param embeddingDimensions int

@description('Resource id of the app\'s identity.')
param identityId string

@description('Object id of the app\'s identity.')
param identityPrincipalId string

@description('Region.')
param location string

@description('Most request units a second of each container, if autoscale.')
param maxThroughput int

@description('Name of the account.')
param name string

@description('Close the account to the internet.')
param privateNetwork bool

@description('Tags.')
param tags tagsType

@description('Workspace for the log of changes of the account.')
param workspaceId string

@description('Spread over availability zones.')
param zoneRedundant bool

// Cosmos DB Built-in Data Contributor: a role of the account's own data plane, none of Azure's.
var dataContributor = '00000000-0000-0000-0000-000000000002'

// The same as src/store/containers.ts, which a test compares.
var containers = [
  { name: 'threads', indexed: ['/internal/sort/?', '/internal/due/?', '/run_id/?'], hasChunks: false }
  { name: 'catalog', indexed: ['/internal/sort/?', '/internal/purpose_sort/?', '/internal/due/?'], hasChunks: false }
  {
    name: 'stores'
    indexed: ['/internal/sort/?', '/internal/status_sort/?', '/internal/due/?', '/file_id/?', '/attributes/*']
    hasChunks: true
  }
]
var chunkIndexes = {
  vectorIndexes: [{ path: '/vector', type: 'diskANN', vectorIndexShardKey: ['/pk'] }]
  fullTextIndexes: [{ path: '/text' }]
}
var chunkPolicies = {
  vectorEmbeddingPolicy: {
    vectorEmbeddings: [
      { path: '/vector', dataType: 'float32', distanceFunction: 'cosine', dimensions: embeddingDimensions }
    ]
  }
  fullTextPolicy: { defaultLanguage: 'en-US', fullTextPaths: [{ path: '/text', language: 'en-US' }] }
}

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-10-15' = {
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    locations: [
      {
        locationName: location
        failoverPriority: 0
        isZoneRedundant: zoneRedundant
      }
    ]
    consistencyPolicy: { defaultConsistencyLevel: consistency }
    // Vectors of an account that exists may take a quarter of an hour to be switched on.
    capabilities: concat(
      capacity == 'serverless' ? [{ name: 'EnableServerless' }] : [],
      [{ name: 'EnableNoSQLVectorSearch' }]
    )
    // Free of charge; a change from periodic backups later would have to be the only change of its deployment.
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: { tier: 'Continuous7Days' }
    }
    disableKeyBasedMetadataWriteAccess: true
    disableLocalAuth: true
    enableAutomaticFailover: false
    enableMultipleWriteLocations: false
    minimalTlsVersion: 'Tls12'
    networkAclBypass: 'None'
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
  }

  resource database 'sqlDatabases' = {
    name: 'threadkeep'
    properties: { resource: { id: 'threadkeep' } }

    // An account takes one change at a time: so one container after the other, and then one role after the other.
    @batchSize(1)
    resource container 'containers' = [
      for each in containers: {
        name: each.name
        properties: {
          resource: {
            id: each.name
            partitionKey: { paths: ['/pk'], kind: 'Hash', version: 2 }
            // Documents expire only if they say so themselves.
            defaultTtl: -1
            indexingPolicy: {
              automatic: true
              indexingMode: 'consistent'
              includedPaths: map(each.indexed, path => { path: path })
              excludedPaths: concat([{ path: '/*' }], each.hasChunks ? [{ path: '/vector/*' }] : [])
              ...(each.hasChunks ? chunkIndexes : {})
            }
            ...(each.hasChunks ? chunkPolicies : {})
          }
          options: capacity == 'serverless' ? {} : { autoscaleSettings: { maxThroughput: maxThroughput } }
        }
      }
    ]
  }

  resource appWrites 'sqlRoleAssignments' = {
    name: guid(account.id, identityId, dataContributor)
    properties: {
      roleDefinitionId: '${account.id}/sqlRoleDefinitions/${dataContributor}'
      principalId: identityPrincipalId
      scope: account.id
    }
    dependsOn: [database::container]
  }

  resource developerWrites 'sqlRoleAssignments' = if (developer != null) {
    name: guid(account.id, developer.?principalId ?? '', dataContributor)
    properties: {
      roleDefinitionId: '${account.id}/sqlRoleDefinitions/${dataContributor}'
      principalId: developer.?principalId ?? ''
      scope: account.id
    }
    dependsOn: [appWrites]
  }
}

resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'log'
  scope: account
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [{ category: 'ControlPlaneRequests', enabled: true }]
  }
}

@description('Name of the database.')
output database string = account::database.name

@description('COSMOS_ENDPOINT of the app.')
output endpoint string = account.properties.documentEndpoint

@description('Resource id of the account.')
output id string = account.id
